// The units of hwnorm in C++, bit for bit as its reference defines them. T is a signed integer that is wide enough for
// every value on the way; i<W> and stream<T> come from integers.hpp, which differs by dialect.
#ifndef HWNORM_UNITS_HPP
#define HWNORM_UNITS_HPP

#include "integers.hpp"

namespace hwnorm {

inline int clamp(int v, int lo, int hi) { return v < lo ? lo : (v > hi ? hi : v); }

// v shifted right by `shift` (left where it is negative), rounded half up. Nothing is lost on the left: the caller's T
// holds the result.
template <class T, class V> T round_half_up(const V& value, int shift) {
    const T v = T(value);
    if (shift <= 0) return v << -shift;
    if (shift >= bits<T>() - 1) return T(0);
    return (v + (T(1) << (shift - 1))) >> shift;
}

template <class T, class V> T round_down(const V& value, int shift) {
    const T v = T(value);
    if (shift <= 0) return v << -shift;
    if (shift >= bits<T>() - 1) return v < 0 ? T(-1) : T(0);
    return v >> shift;
}

// The same, saturated to a register of `width` bits; what a left shift would push out saturates too.
template <class T> T saturate(const T& v, int width, bool is_signed) {
    const int magnitude = is_signed ? width - 1 : width;
    const T hi = (T(1) << magnitude) - T(1);
    const T lo = is_signed ? T(-hi - T(1)) : T(0);
    return v > hi ? hi : (v < lo ? lo : v);
}

template <class T, class V> T round_half_up(const V& value, int shift, int width, bool is_signed) {
    const T v = T(value);
    if (shift < 0) {
        const T whole = saturate<T>(v, width, is_signed);
        const T limit = saturate<T>(v < 0 ? T(-(T(1) << (width - 1))) : T((T(1) << (width - 1)) - T(1)), width, is_signed);
        if (whole == T(0)) return T(0);
        if (-shift >= width) return limit;
        const T room = limit >> -shift;
        return (v < 0 ? v < room : v > room) ? limit : T(v << -shift);
    }
    return saturate<T>(round_half_up<T>(v, shift), width, is_signed);
}

template <class T, class V> T round_down(const V& value, int shift, int width, bool is_signed) {
    return saturate<T>(round_down<T>(T(value), shift), width, is_signed);
}

template <class T> int bit_length(T v) {
    int length = 0;
    for (; v != T(0); v = v >> 1) ++length;
    return length;
}

// floor(n * 2**frac / d) for d > 0; 0 for d = 0.
template <class T, class N, class D> T divide(const N& numerator, const D& denominator, int frac) {
    const T n = T(numerator) << frac, d = T(denominator);
    if (d == T(0)) return T(0);
    const T q = n / d;
    return (n < T(0) && q * d != n) ? T(q - T(1)) : q;
}

template <class T> struct scaled {
    T mantissa;
    int frac;
};

// (Dn, e): D = Dn * 2**(e - width), Dn rounded half up to `width` bits.
template <class T> scaled<T> normalise(const T& d, int width) {
    int e = bit_length(d);
    T mantissa = round_half_up<T>(d, e - width);
    if ((mantissa >> width) != T(0)) {
        mantissa = mantissa >> 1;
        ++e;
    }
    return {mantissa, e};
}

template <class T> scaled<T> clamped(const T& r, int e, int width, int given_frac) {
    const T top = (T(1) << width) - T(1);
    return {r > top ? top : r, e + width - 1 - given_frac};
}

// min(round(2**(w + width - 1) / Dn), 2**width - 1); 0 for D = 0.
template <class T, class V> scaled<T> reciprocal_restoring(const V& d, int w, int width, int given_frac) {
    const scaled<T> n = normalise<T>(T(d), w);
    if (n.mantissa == T(0)) return {T(0), n.frac + width - 1 - given_frac};
    return clamped<T>(((T(1) << (w + width - 1)) + (n.mantissa >> 1)) / n.mantissa, n.frac, width, given_frac);
}

// The chord of 1/D over segments of the mantissa, lowered by half of what it passes above the curve.
template <class T> T chord(const T& dn, int w, int width) {
    const int guard = 4;
    const int wanted = (width - 1) / 2;  // ceil((width - 2) / 2)
    const int index_bits = wanted < w - 1 ? wanted : w - 1, rest_bits = w - 1 - index_bits;
    const T fraction = dn - (T(1) << (w - 1));
    const T index = fraction >> rest_bits, rest = fraction - (index << rest_bits);
    const T scale = T(1) << (index_bits + width + guard), left = (T(1) << index_bits) + index;
    const T start = scale / left, middle = (scale << 1) / ((left << 1) + T(1)), end = scale / (left + T(1));
    const T sag = ((start + end) >> 1) - middle;
    const T offset = start - (sag >> 1) + (T(1) << (guard - 1));
    return (offset - (((start - end) * rest) >> rest_bits)) >> guard;
}

template <class T, class V> scaled<T> reciprocal_pwl(const V& d, int w, int width, int given_frac) {
    const scaled<T> n = normalise<T>(T(d), w);
    if (n.mantissa == T(0)) return {T(0), n.frac + width - 1 - given_frac};
    return clamped<T>(chord<T>(n.mantissa, w, width), n.frac, width, given_frac);
}

// A seed of 10 bits and two Newton steps.
template <class T, class V> scaled<T> reciprocal_newton(const V& d, int w, int width, int given_frac) {
    const int seed = 10, frac = width + 2 > 10 ? width + 2 : 10;
    const scaled<T> n = normalise<T>(T(d), w);
    if (n.mantissa == T(0)) return {T(0), n.frac + width - 1 - given_frac};
    T top = round_half_up<T>(n.mantissa, w - seed);
    if ((top >> seed) != T(0)) top = (T(1) << seed) - T(1);
    T r = clamped<T>(chord<T>(top, seed, seed), 0, seed, 0).mantissa << (frac - seed + 1);
    for (int step = 0; step < 2; ++step) {
        const T gap = (T(2) << frac) - ((n.mantissa * r) >> w);
        r = (r * gap) >> frac;
    }
    return clamped<T>(round_half_up<T>(r, frac - width + 1), n.frac, width, given_frac);
}

// floor(sqrt(V * 2**t)), t even and as large as keeps V * 2**t within 2 * width bits.
template <class T, class V> scaled<T> root(const V& value, int width, int given_frac) {
    const T v = T(value);
    const int room = 2 * width - bit_length(v);
    const int half = room >= 0 ? room / 2 : -((1 - room) / 2);
    const T radicand = half >= 0 ? T(v << (2 * half)) : T(v >> (-2 * half));
    T result = T(0), rest = radicand;
    for (int bit = width - 1; bit >= 0; --bit) {
        const T trial = ((result << 1) + (T(1) << bit)) << bit;
        if (rest >= trial) {
            rest = rest - trial;
            result = result + (T(1) << bit);
        }
    }
    return {result, half + given_frac};
}

// The gain: |K| a mantissa of `width` bits, its shift below `base` from lo to hi.
template <class T, class V> scaled<T> gain(const V& product, int frac, int width, int base, int lo, int hi) {
    const T signed_product = T(product);
    const bool negative = signed_product < T(0);
    const T magnitude = negative ? T(-signed_product) : signed_product;
    const int drop = bit_length(magnitude) - width;
    const bool carried = (round_half_up<T>(magnitude, drop) >> width) != T(0);
    int sh = magnitude == T(0) ? hi : frac - drop - (carried ? 1 : 0) - base;
    T mantissa;
    if (sh < lo) {
        mantissa = (T(1) << width) - T(1);
        sh = lo;
    } else {
        sh = sh < hi ? sh : hi;
        mantissa = round_half_up<T>(magnitude, frac - base - sh);
    }
    return {negative ? T(-mantissa) : mantissa, sh + base};
}

}  // namespace hwnorm

#endif
