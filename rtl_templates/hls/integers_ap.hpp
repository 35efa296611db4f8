// Integers and streams of Vitis HLS.
#ifndef HWNORM_INTEGERS_HPP
#define HWNORM_INTEGERS_HPP

#include <ap_fixed.h>
#include <ap_int.h>
#include <hls_stream.h>

namespace hwnorm {

template <int W> using i = ap_int<W>;
template <int W, int I> using number = ap_fixed<W, I>;
template <class T> constexpr int bits() { return T::width; }
template <class T> using stream = hls::stream<T>;

}  // namespace hwnorm

#endif
