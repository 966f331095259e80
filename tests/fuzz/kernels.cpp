// Every kernel on small rows made of arbitrary bytes, on every instruction set that the machine can
// run: those with fused multiply-add must give the same bits, all must be within their bounds of
// sums in long double.
//
//     fuzz_kernels [--runs N] [--seconds S] [--seed K] [FILE ...]
//
// makes inputs of the files and of K until N were tried or S seconds are over, and says how many.
// A wrong answer ends it with the input in ./wrong-input, which it takes as a file. With Clang,
// -DFASTGROK_LIBFUZZER and -fsanitize=fuzzer it is a target of libFuzzer instead.
#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "core/blocks.hpp"
#include "core/layout.hpp"
#include "kernels/tables.hpp"

namespace {

using namespace fastgrok;
using Real = long double;
using Numbers = Blocks<double>;

constexpr Real kEps = 0x1p-52L;
constexpr std::size_t kMostRows = 40, kMostCols = 40;

std::vector<const Kernels*> tables() {
#if defined(__x86_64__)
    const Kernels* all[] = {&v2::table, &v3::table, &v4::table};
#else
    const Kernels* all[] = {&neon::table};
#endif
    std::vector<const Kernels*> usable;
    for (const Kernels* table : all)
        for (const char* const* name = available_kernels(); *name != nullptr; ++name)
            if (std::strcmp(*name, table->name) == 0) usable.push_back(table);
    return usable;
}

#include "kernels_case.hpp"

// What a table makes of a case: results with their names, which all tables give in the same order.
struct Results {
    std::vector<const char*> names;
    std::vector<Numbers> values;
    void add(const char* name, Numbers value) {
        names.push_back(name);
        values.push_back(std::move(value));
    }
};

Numbers laid_out(const Numbers& w, Layout layout) {
    Numbers u(layout.length, 0.0);
    std::copy(w.begin(), w.end() - 1, u.begin());
    u[layout.intercept] = w.back();
    return u;
}

// (w, b) out of a layout: padding is nobody's business.
Numbers given(const Numbers& u, Layout layout) {
    Numbers w(u.begin(), u.begin() + static_cast<std::ptrdiff_t>(layout.cols));
    w.push_back(u[layout.intercept]);
    return w;
}

Numbers first_of(Numbers all, std::size_t n) {
    all.resize(n);
    return all;
}

template <class Number>
void plain(const Case& c, const Kernels::Plain<Number>& kernels, const Blocks<Number>& x,
           Results& out) {
    const Layout layout = plain_layout(c.d);
    const Numbers u = laid_out(c.w, layout), v = laid_out(c.v, layout);
    PlainRows<Number> rows{x.data(), c.y.data(), c.n, c.d, c.d, false, nullptr, nullptr};
    const std::size_t room = whole_lanes(c.n);
    Numbers margins(room), accurate(room);
    kernels.margins(rows, u.data(), margins.data());
    out.add("margins", first_of(margins, c.n));
    kernels.accurate(rows, u.data(), accurate.data());
    out.add("accurate", first_of(accurate, c.n));
    static Numbers work(kManyRoom);
    Numbers both_u = u, many(3 * room);
    both_u.insert(both_u.end(), v.begin(), v.end());
    kernels.many_margins(rows, both_u.data(), 2, many.data(), room, work.data());
    out.add("many margins", first_of(many, c.n));
    if (c.weighted) rows.weights = c.weight.data();
    const double most = traits_of(c.loss).zero_above;
    Numbers sum(layout.length, 0.0), bits(room), second(layout.length, 0.0);
    kernels.first(rows, u.data(), c.loss, most, c.shift, bits.data(), sum.data());
    out.add("first", given(sum, layout));
    out.add("bits", first_of(bits, c.n));
    kernels.second(rows, c.weight.data(), v.data(), second.data());
    out.add("second", given(second, layout));
    Numbers one(layout.length, 0.0), two(layout.length, 0.0);
    const RowPass all[] = {{u.data(), nullptr, c.loss, most, c.shift, nullptr, one.data()},
                           {v.data(), c.weight.data(), c.loss, 0.0, 0.0, nullptr, two.data()}};
    kernels.together(rows, all, 2);
    out.add("first of both", given(one, layout));
    out.add("second of both", given(two, layout));
    Numbers size(u.size(), 0.0), side(u.size(), 0.5), radius(2 * room, 0.25), drop(2 * room);
    for (std::size_t j = 0; j < c.d; ++j) size[j] = std::fabs(u[j]);
    kernels.drop(rows, {size.data(), side.data(), v.data()}, radius.data(), 2, room, drop.data());
    out.add("drop", first_of(drop, c.n));
    if (c.n > 0 && c.kind != Kind::any)
        out.add("inside", {double(kernels.inside(rows, v.data(), side.data()))});
}

template <class Number>
void sparse(const Case& c, const Kernels::Sparse<Number>& kernels, const Blocks<Number>& x,
            Results& out) {
    const Layout layout = layout_of(c.d);
    Blocks<Number> entries;
    std::vector<std::uint32_t> columns;
    std::vector<std::int64_t> begin = {0};
    for (std::size_t i = 0; i < c.n; ++i) {
        for (std::size_t j = 0; j < c.d; ++j)
            if (x[i * c.d + j] != 0) {
                entries.push_back(x[i * c.d + j]);
                columns.push_back(static_cast<std::uint32_t>(j));
            }
        begin.push_back(static_cast<std::int64_t>(entries.size()));
    }
    const Numbers u = laid_out(c.w, layout), v = laid_out(c.v, layout);
    SparseRows<Number> rows{entries.data(),
                            columns.data(),
                            begin.data(),
                            c.y.data(),
                            c.n,
                            c.d,
                            nullptr,
                            c.weighted ? c.weight.data() : nullptr};
    Numbers margins(c.n), accurate(c.n), sum(layout.length, 0.0), second(layout.length, 0.0);
    kernels.margins(rows, u.data(), margins.data());
    out.add("sparse margins", margins);
    kernels.accurate(rows, u.data(), accurate.data());
    out.add("sparse accurate", accurate);
    kernels.first(rows, u.data(), c.loss, traits_of(c.loss).zero_above, c.shift, nullptr,
                  sum.data());
    out.add("sparse first", given(sum, layout));
    kernels.second(rows, c.weight.data(), v.data(), second.data());
    out.add("sparse second", given(second, layout));
}

void packed(const Case& c, const Kernels::Packed& kernels, Results& out) {
    const std::size_t blocks = (c.n + kLanes - 1) / kLanes, width = c.d + 1;
    const Layout layout = packed_layout(c.d);
    Numbers z(blocks * kLanes * width, 0.0), weight(blocks * kLanes, 0.0);
    for (std::size_t i = 0; i < c.n; ++i) {
        double* lane = z.data() + i / kLanes * kLanes * width + i % kLanes;
        for (std::size_t j = 0; j < c.d; ++j) lane[j * kLanes] = c.y[i] * c.x[i * c.d + j];
        lane[c.d * kLanes] = c.y[i];
        weight[i] = c.weight[i];
    }
    const Numbers u = laid_out(c.w, layout), v = laid_out(c.v, layout);
    const PackedRows rows{z.data(), blocks, c.d, c.weighted ? weight.data() : nullptr};
    Numbers margins(blocks * kLanes), accurate(margins), bits(margins);
    kernels.margins(rows, u.data(), margins.data());
    out.add("packed margins", first_of(margins, c.n));
    kernels.accurate(rows, u.data(), accurate.data());
    out.add("packed accurate", first_of(accurate, c.n));
    Numbers sum(layout.length, 0.0), second(layout.length, 0.0);
    kernels.first(rows, u.data(), c.loss, traits_of(c.loss).zero_above, c.shift, nullptr,
                  sum.data());
    out.add("packed first", sum);
    kernels.second(rows, weight.data(), v.data(), second.data());
    out.add("packed second", second);
    Numbers newton(width + width * (width + 1) / 2);
    kernels.newton(rows, u.data(), c.loss, c.shift, bits.data(), newton.data());
    out.add("newton's gradient", first_of(newton, width));
    newton.erase(newton.begin(), newton.begin() + static_cast<std::ptrdiff_t>(width));
    out.add("hessian", newton);
}

Results results(const Case& c, const Kernels& kernels) {
    Results out;
    plain(c, kernels.plain64, c.x, out);
    sparse(c, kernels.sparse64, c.x, out);
    if (c.moderate()) {
        plain(c, kernels.plain32, c.x32, out);
        sparse(c, kernels.sparse32, c.x32, out);
    }
    if (c.d <= kMostPackedCols) packed(c, kernels.packed, out);
    const std::size_t n = c.x.size();
    Numbers e(n), s(n), p(n), curved(n), slope(n), steep(n);
    kernels.exp(c.x.data(), e.data(), n);
    kernels.softplus(c.x.data(), s.data(), n);
    kernels.sigmoid(c.x.data(), p.data(), n);
    kernels.curvature(c.x.data(), curved.data(), n, c.loss);
    kernels.coefficients(c.x.data(), n, c.loss, c.shift, slope.data(), steep.data());
    out.add("exp", e);
    out.add("softplus", s);
    out.add("sigmoid", p);
    out.add("curvature", curved);
    out.add("slope", slope);
    out.add("curvature of slopes", steep);
    out.add("loss sum", {kernels.loss_sum(c.x.data(), nullptr, n, c.loss)});
    out.add("dot", {kernels.dot(c.x.data(), c.x.data(), n)});
    Numbers sums(c.d);
    kernels.accurate_sums(c.x.data(), c.n, c.d, c.y.data(), sums.data());
    out.add("accurate sums", sums);
    return out;
}

#include "kernels_expected.hpp"

std::string text(double x) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%.17g (%a)", x, x);
    return buffer;
}

// What is wrong with a case; empty if nothing is.
std::string wrong(const std::uint8_t* data, std::size_t size) {
    static const std::vector<const Kernels*> all = tables();
    Source source(data, size);
    const Case c(source);
    const Expected expected(c);
    Results reference;
    for (const Kernels* kernels : all) {
        Results found = results(c, *kernels);
        for (std::size_t r = 0; r < found.names.size(); ++r)
            for (std::size_t i = 0; i < found.values[r].size(); ++i) {
                const double value = found.values[r][i];
                const std::string where = std::string(kernels->name) + " " + found.names[r] + "[" +
                                          std::to_string(i) + "] is " + text(value);
                if (const std::string why = expected.against(found.names[r], i, value);
                    !why.empty())
                    return where + why;
                if (reference.names.empty()) continue;
                const double other = reference.values[r][i];
                const bool same =
                    std::bit_cast<std::uint64_t>(value) == std::bit_cast<std::uint64_t>(other) ||
                    (value != value && other != other);
                if (!same) return where + ", elsewhere " + text(other);
            }
        if (std::strcmp(kernels->name, "v2") != 0) reference = std::move(found);
    }
    return "";
}

bool try_input(const std::uint8_t* data, std::size_t size) {
    const std::string why = wrong(data, size);
    if (why.empty()) return true;
    std::fprintf(stderr, "%s\n", why.c_str());
    std::ofstream file("wrong-input", std::ios::binary);
    file.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
    return false;
}

}  // namespace

#if defined(FASTGROK_LIBFUZZER)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (!try_input(data, size)) std::abort();
    return 0;
}
#else
int main(int count, char** arguments) {
    double runs = HUGE_VAL, seconds = HUGE_VAL;
    std::uint64_t seed = 0;
    std::vector<std::vector<std::uint8_t> > inputs;
    for (int i = 1; i < count; ++i) {
        const std::string name = arguments[i];
        if (name.rfind("--", 0) == 0 && i + 1 < count) {
            const double value = std::stod(arguments[++i]);
            if (name == "--runs") runs = value;
            if (name == "--seconds") seconds = value;
            if (name == "--seed") seed = static_cast<std::uint64_t>(value);
            continue;
        }
        std::ifstream file(name, std::ios::binary);
        inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
        if (!try_input(inputs.back().data(), inputs.back().size())) return 1;
    }
    const bool only_files = !inputs.empty() && runs == HUGE_VAL && seconds == HUGE_VAL;
    const auto began = std::chrono::steady_clock::now();
    const auto passed = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    };
    if (seconds == HUGE_VAL && runs == HUGE_VAL) runs = 1e5;
    double tried = static_cast<double>(inputs.size());
    for (; !only_files && tried < runs; ++tried) {
        if (static_cast<std::uint64_t>(tried) % 64 == 0 && passed() > seconds) break;
        const std::uint64_t which = (seed << 32) + static_cast<std::uint64_t>(tried);
        Source random(reinterpret_cast<const std::uint8_t*>(&which), sizeof which);
        for (int skip = 0; skip < 2; ++skip) random.bits();
        std::vector<std::uint8_t> input;
        if (!inputs.empty() && random.bits() % 2 == 0)
            input = inputs[random.bits() % inputs.size()];
        input.resize(std::max<std::size_t>(input.size(), 8 + random.bits() % 64));
        for (std::uint64_t left = 1 + random.bits() % 16; left > 0; --left)
            input[random.bits() % input.size()] = static_cast<std::uint8_t>(random.bits() >> 40);
        if (!try_input(input.data(), input.size())) return 1;
    }
    std::string names;
    for (const Kernels* kernels : tables()) names += std::string(" ") + kernels->name;
    std::printf("%.0f inputs on%s, none wrong, %.0f s\n", tried, names.c_str(), passed());
    return 0;
}
#endif
