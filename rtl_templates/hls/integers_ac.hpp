// Integers and channels of Catapult and of oneAPI.
#ifndef HWNORM_INTEGERS_HPP
#define HWNORM_INTEGERS_HPP

#include <ac_channel.h>
#include <ac_fixed.h>
#include <ac_int.h>

namespace hwnorm {

template <int W> using i = ac_int<W, true>;
template <int W, int I> using number = ac_fixed<W, I, true>;
template <class T> constexpr int bits() { return T::width; }
template <class T> using stream = ac_channel<T>;

}  // namespace hwnorm

#endif
