// oneDNN, versions 2 and 3, on the CPU.
#include "peer.h"

#include <dnnl.hpp>
#include <string>
#include <unordered_map>

using dnnl::memory;

namespace
{

dnnl::engine &cpu()
{
    static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    return engine;
}

struct Shapes {
    memory::desc x, w, b, y;
    memory::dims stride, dilation, pad_begin, pad_end;

    Shapes(const peer_problem &p, bool plain)
        : stride{p.stride[0], p.stride[1]}, dilation{p.dilation[0] - 1, p.dilation[1] - 1},
          pad_begin{p.pad_begin[0], p.pad_begin[1]}, pad_end{p.pad_end[0], p.pad_end[1]}
    {
        using tag = memory::format_tag;
        const auto f32 = memory::data_type::f32;
        const tag tensor = plain ? tag::nchw : tag::any;
        x = memory::desc({p.n, p.c, p.in[0], p.in[1]}, f32, tensor);
        y = memory::desc({p.n, p.k, p.out[0], p.out[1]}, f32, tensor);
        b = memory::desc({p.k}, f32, tag::x);
        if (p.groups == 1)
            w = memory::desc({p.k, p.c, p.kernel[0], p.kernel[1]}, f32,
                             plain ? tag::oihw : tag::any);
        else
            w = memory::desc({p.groups, p.k / p.groups, p.c / p.groups, p.kernel[0], p.kernel[1]},
                             f32, plain ? tag::goihw : tag::any);
    }
};

using Forward = dnnl::convolution_forward;
using BackwardData = dnnl::convolution_backward_data;
using BackwardFilter = dnnl::convolution_backward_weights;

#if DNNL_VERSION_MAJOR >= 3
Forward::primitive_desc forward(const Shapes &s, dnnl::algorithm a)
{
    return {cpu(),      dnnl::prop_kind::forward_training,
            a,          s.x,
            s.w,        s.b,
            s.y,        s.stride,
            s.dilation, s.pad_begin,
            s.pad_end};
}
BackwardData::primitive_desc backward_data(const Shapes &s, dnnl::algorithm a)
{
    return {cpu(), a, s.x, s.w, s.y, s.stride, s.dilation, s.pad_begin, s.pad_end, forward(s, a)};
}
BackwardFilter::primitive_desc backward_filter(const Shapes &s, dnnl::algorithm a)
{
    return {cpu(),    a,          s.x,         s.w,       s.b,          s.y,
            s.stride, s.dilation, s.pad_begin, s.pad_end, forward(s, a)};
}
#else
Forward::primitive_desc forward(const Shapes &s, dnnl::algorithm a)
{
    return {{dnnl::prop_kind::forward_training, a, s.x, s.w, s.b, s.y, s.stride, s.dilation,
             s.pad_begin, s.pad_end},
            cpu()};
}
BackwardData::primitive_desc backward_data(const Shapes &s, dnnl::algorithm a)
{
    return {{a, s.x, s.w, s.y, s.stride, s.dilation, s.pad_begin, s.pad_end}, cpu(), forward(s, a)};
}
BackwardFilter::primitive_desc backward_filter(const Shapes &s, dnnl::algorithm a)
{
    return {{a, s.x, s.w, s.b, s.y, s.stride, s.dilation, s.pad_begin, s.pad_end},
            cpu(),
            forward(s, a)};
}
#endif

memory filled(const memory::desc &desc)
{
    memory made(desc, cpu());
    float *data = static_cast<float *>(made.get_data_handle());
    uint32_t bits = 1;
    for (size_t i = 0; i < desc.get_size() / sizeof(float); i++) {
        bits = bits * 1664525u + 1013904223u;
        data[i] = static_cast<float>(bits >> 8) / (1 << 23) - 1;
    }
    return made;
}

} // namespace

struct peer_conv {
    dnnl::primitive primitive;
    std::unordered_map<int, memory> memories;
    std::string algorithm;
    dnnl::stream stream{cpu()};

    peer_conv(const peer_problem &problem, bool plain, dnnl::algorithm chosen)
    {
        const Shapes shapes(problem, plain);
        if (problem.direction == 0) {
            const auto desc = forward(shapes, chosen);
            primitive = Forward(desc);
            algorithm = desc.impl_info_str();
            memories = {{DNNL_ARG_SRC, filled(desc.src_desc())},
                        {DNNL_ARG_WEIGHTS, filled(desc.weights_desc())},
                        {DNNL_ARG_BIAS, filled(desc.bias_desc())},
                        {DNNL_ARG_DST, filled(desc.dst_desc())}};
        } else if (problem.direction == 1) {
            const auto desc = backward_data(shapes, chosen);
            primitive = BackwardData(desc);
            algorithm = desc.impl_info_str();
            memories = {{DNNL_ARG_DIFF_SRC, filled(desc.diff_src_desc())},
                        {DNNL_ARG_WEIGHTS, filled(desc.weights_desc())},
                        {DNNL_ARG_DIFF_DST, filled(desc.diff_dst_desc())}};
        } else {
            const auto desc = backward_filter(shapes, chosen);
            primitive = BackwardFilter(desc);
            algorithm = desc.impl_info_str();
            memories = {{DNNL_ARG_SRC, filled(desc.src_desc())},
                        {DNNL_ARG_DIFF_WEIGHTS, filled(desc.diff_weights_desc())},
                        {DNNL_ARG_DIFF_BIAS, filled(desc.diff_bias_desc())},
                        {DNNL_ARG_DIFF_DST, filled(desc.diff_dst_desc())}};
        }
    }
};

const char *peer_name(void)
{
    static const std::string name = "oneDNN " + std::to_string(dnnl::version()->major) + "." +
                                    std::to_string(dnnl::version()->minor);
    return name.c_str();
}

struct peer_conv *peer_make(const struct peer_problem *problem, enum peer_form form)
try {
    if (form != PEER_FREE)
        return new peer_conv(*problem, form == PEER_PLAIN, dnnl::algorithm::convolution_direct);
    const peer_conv direct(*problem, false, dnnl::algorithm::convolution_direct);
    auto *free = new peer_conv(*problem, false, dnnl::algorithm::convolution_auto);
    if (free->algorithm != direct.algorithm)
        return free;
    delete free;
    return nullptr;
} catch (const dnnl::error &) {
    return nullptr;
}

bool peer_run(struct peer_conv *conv)
try {
    conv->primitive.execute(conv->stream, conv->memories);
    conv->stream.wait();
    return true;
} catch (const dnnl::error &) {
    return false;
}

void peer_destroy(struct peer_conv *conv)
{
    delete conv;
}

const char *peer_algorithm(const struct peer_conv *conv)
{
    return conv->algorithm.c_str();
}
