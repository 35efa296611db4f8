// Integers and streams in standard C++17 (and the compilers' 128-bit integer), for anyone to compile.
#ifndef HWNORM_INTEGERS_HPP
#define HWNORM_INTEGERS_HPP

#include <cstddef>
#include <cstdint>
#include <deque>
#include <type_traits>

namespace hwnorm {

__extension__ typedef __int128 int128;

template <int W> struct native {
    static_assert(W <= 128, "plain C++ has no integer of this width: take the ap or ac dialect");
    using type = std::conditional_t<(W <= 8), std::int8_t,
                 std::conditional_t<(W <= 16), std::int16_t,
                 std::conditional_t<(W <= 32), std::int32_t,
                 std::conditional_t<(W <= 64), std::int64_t, int128>>>>;
};
template <int W> using i = typename native<W>::type;
template <class T> constexpr int bits() { return 8 * static_cast<int>(sizeof(T)); }

template <class T> class stream {
public:
    T read() { T v = queue.front(); queue.pop_front(); return v; }
    void write(const T& v) { queue.push_back(v); }
private:
    std::deque<T> queue;
};

}  // namespace hwnorm

#endif
