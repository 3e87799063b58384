/* Pooling on a GPU: texts through NVRTC, results through the emulator. */
#include "../cuda-family-test.h"


static const struct cuda_pick quick[] = {
    {"pool2d max n2 c5 h13 w17 r3 s3 stride2 pad1 f16",
     "pool2d_nhwc__threads__sm75"},
    {"pool2d average n2 c5 h13 w17 r3 s3 stride2 pad1 f32",
     "pool2d_nchw__threads__sm75"},
    {"pool2d average n1 c3 h12 w13 r3 s3 stride2 pad1 countpad ceil f32",
     "pool2d_nchw__threads__sm75"},
    {"pool2d average n2 c70 h7 w7 r7 s7 f32",
     "pool2d_nchw__warps__sm75"},
    {"pool2d max n2 c9 h8 w9 r8 s9 f32",
     "pool2d_nhwc__warps__sm75"},
    {NULL, NULL},
};

static const struct cuda_pick more[] = {
    {"pool2d max n1 c3 h7 w9 r3 s3 f32",
     "pool2d_nchw__threads__sm75"},
    {"pool2d average n2 c5 h13 w17 r3 s3 stride2 pad1 f32",
     "pool2d_nhwc__threads__sm75"},
    {"pool2d average n1 c9 h14 w14 r3 s3 pad1 countpad f32",
     "pool2d_nchw__threads__sm75"},
    {"pool2d max n1 c2 h15 w31 r3 s2 strideh1 stridew4 padt1 padl0 padb0 padr1 f32",
     "pool2d_nhwc__threads__sm75"},
    {"pool2d average n1 c3 h19 w23 r3 s3 stride2 dilh1 dilw3 pad1 countpad f32",
     "pool2d_nchw__threads__sm75"},
    {"pool2d average n1 c3 h10 w10 r3 s3 stride2 ceil bf16",
     "pool2d_nhwc__threads__sm75"},
    {"pool2d average n2 c70 h7 w7 r7 s7 f16",
     "pool2d_nhwc__threads__sm75"},
    {"pool2d average n1 c3 h9 w9 r6 s6 pad2 stride3 f32",
     "pool2d_nchw__warps__sm75"},
    {"pool2d average n1 c3 h1 w1 r1 s1 f32",
     "pool2d_nchw__threads__sm75"},
    {NULL, NULL},
};

static const char *const problems[] = {
    "pool2d max n2 c5 h13 w17 r6 s6 stride2 pad1 f32",       "pool2d max n1 c9 h14 w14 r6 s6 pad1 f16",
    "pool2d max n1 c9 h14 w14 r6 s6 dilh1 dilw2 pad1 bf16",  "pool2d average n2 c70 h7 w7 r7 s7 f16",
    "pool2d average n1 c9 h14 w14 r3 s3 pad1 countpad bf16", "pool2d average n1 c9 h14 w14 r6 s6 pad1 ceil bf16",
    "pool2d average n2 c5 h13 w17 r6 s7 stride2 pad1 f32",
    NULL,
};

static const char *const large[] = {
    "pool2d max n64 c512 h112 w112 r9 s9 f16",
    "pool2d average n64 c512 h112 w112 r9 s9 f32",
    NULL,
};

static const struct cuda_family pool = {
    .quick = quick,
    .more = more,
    .problems = problems,
    .large = large,
};
CUDA_PICKED_FAMILY_TESTS(pool)
