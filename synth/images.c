/* Networks for images: ResNet-50 (He et al. 2015), MobileNetV2 (Sandler et al. 2018), VGG-16 (Simonyan, Zisserman 2014), and the
 * plain multilayer perceptron that benchmarks like. */
#include "net.h"

#include "../base/pmath.h"

#include <stdio.h>

static const char *image_input(struct net *net) {
  char dims[64];
  snprintf(dims, sizeof dims, "%s 3 224 224", net_batch(net));
  return net_input(net, "input", net->options.dtype, dims);
}

static void class_output(struct net *net) {
  char dims[64];
  snprintf(dims, sizeof dims, "%s 1000", net_batch(net));
  net_output(net, "output", net->options.dtype, dims);
}

static const char *flatten(struct net *net, const char *x) {
  const char *y = net_op_begin(net, "Flatten", NULL, "%s", x);
  onnx_attr_int(&net->writer, "axis", 1);
  net_op_end(net);
  return y;
}

static const char *max_pool(struct net *net, const char *x, int64_t kernel, int64_t stride, int64_t pad) {
  const char *y = net_op_begin(net, "MaxPool", NULL, "%s", x);
  onnx_attr_int(&net->writer, "ceil_mode", 0);
  onnx_attr_ints(&net->writer, "kernel_shape", (int64_t[]){kernel, kernel}, 2);
  onnx_attr_ints(&net->writer, "pads", (int64_t[]){pad, pad, pad, pad}, 4);
  onnx_attr_ints(&net->writer, "strides", (int64_t[]){stride, stride}, 2);
  net_op_end(net);
  return y;
}

static const char *conv_norm(struct net *net, const char *conv_name, const char *norm_name, const char *x,
                             const struct net_conv *conv, double gamma) {
  return net_batch_norm(net, norm_name, net_conv(net, conv_name, x, conv, false), conv->out, gamma);
}

/* 1x1 down, 3x3, 1x1 up; the last normalisation is damped, so that sixteen sums keep order one. */
static const char *bottleneck(struct net *net, const char *prefix, const char *x, int64_t in, int64_t width, int64_t stride) {
  char name[4][64], norm[4][64];
  int64_t out = width * 4;
  for (int i = 0; i < 3; i++) {
    snprintf(name[i], sizeof name[i], "%s.conv%d", prefix, i + 1);
    snprintf(norm[i], sizeof norm[i], "%s.bn%d", prefix, i + 1);
  }
  snprintf(name[3], sizeof name[3], "%s.downsample.0", prefix);
  snprintf(norm[3], sizeof norm[3], "%s.downsample.1", prefix);
  const char *a =
      net_op(net, "Relu", NULL, "%s", conv_norm(net, name[0], norm[0], x, &(struct net_conv){in, width, 1, 1, 0, 1}, 1));
  const char *b =
      net_op(net, "Relu", NULL, "%s", conv_norm(net, name[1], norm[1], a, &(struct net_conv){width, width, 3, stride, 1, 1}, 1));
  const char *c = conv_norm(net, name[2], norm[2], b, &(struct net_conv){width, out, 1, 1, 0, 1}, 0.4);
  const char *skip =
      stride == 1 && in == out ? x : conv_norm(net, name[3], norm[3], x, &(struct net_conv){in, out, 1, stride, 0, 1}, 1);
  return net_op(net, "Relu", NULL, "%s", net_op(net, "Add", NULL, "%s %s", c, skip));
}

void synth_resnet50(struct net *net) {
  static const int blocks[] = {3, 4, 6, 3};
  const char *x = conv_norm(net, "conv1", "bn1", image_input(net), &(struct net_conv){3, 64, 7, 2, 3, 1}, 1);
  x = max_pool(net, net_op(net, "Relu", NULL, "%s", x), 3, 2, 1);
  int64_t in = 64;
  for (int stage = 0; stage < 4; stage++) {
    int64_t width = (int64_t)64 << stage;
    for (int block = 0; block < blocks[stage]; block++) {
      char prefix[32];
      snprintf(prefix, sizeof prefix, "layer%d.%d", stage + 1, block);
      x = bottleneck(net, prefix, x, in, width, stage > 0 && block == 0 ? 2 : 1);
      in = width * 4;
    }
  }
  x = flatten(net, net_op(net, "GlobalAveragePool", NULL, "%s", x));
  net_gemm(net, "fc", x, 2048, 1000, pmath_sqrt(1.0 / 2048), "output");
  class_output(net);
}

static const char *relu6(struct net *net, const char *x) {
  return net_op(net, "Clip", NULL, "%s %s %s", x, net_scalar(net, 0), net_scalar(net, 6));
}

/* Expand, depthwise, project; a sum when nothing changed size. */
static const char *inverted_residual(struct net *net, int index, const char *x, int64_t in, int64_t out, int64_t stride,
                                     int64_t expand) {
  char conv[64], norm[64];
  int64_t wide = in * expand;
  int part = 0;
  const char *y = x;
  if (expand != 1) {
    snprintf(conv, sizeof conv, "features.%d.conv.%d.0", index, part);
    snprintf(norm, sizeof norm, "features.%d.conv.%d.1", index, part++);
    y = relu6(net, conv_norm(net, conv, norm, y, &(struct net_conv){in, wide, 1, 1, 0, 1}, 1));
  }
  snprintf(conv, sizeof conv, "features.%d.conv.%d.0", index, part);
  snprintf(norm, sizeof norm, "features.%d.conv.%d.1", index, part++);
  y = relu6(net, conv_norm(net, conv, norm, y, &(struct net_conv){wide, wide, 3, stride, 1, wide}, 1));
  snprintf(conv, sizeof conv, "features.%d.conv.%d", index, part);
  snprintf(norm, sizeof norm, "features.%d.conv.%d", index, part + 1);
  y = conv_norm(net, conv, norm, y, &(struct net_conv){wide, out, 1, 1, 0, 1}, stride == 1 && in == out ? 0.5 : 1);
  return stride == 1 && in == out ? net_op(net, "Add", NULL, "%s %s", x, y) : y;
}

void synth_mobilenetv2(struct net *net) {
  static const struct {
    int64_t expand, channels, repeats, stride;
  } stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  const char *x =
      relu6(net, conv_norm(net, "features.0.0", "features.0.1", image_input(net), &(struct net_conv){3, 32, 3, 2, 1, 1}, 1));
  int64_t in = 32;
  int index = 1;
  for (int stage = 0; stage < 7; stage++)
    for (int64_t repeat = 0; repeat < stages[stage].repeats; repeat++) {
      x = inverted_residual(net, index++, x, in, stages[stage].channels, repeat == 0 ? stages[stage].stride : 1,
                            stages[stage].expand);
      in = stages[stage].channels;
    }
  x = relu6(net, conv_norm(net, "features.18.0", "features.18.1", x, &(struct net_conv){320, 1280, 1, 1, 0, 1}, 1));
  x = flatten(net, net_op(net, "GlobalAveragePool", NULL, "%s", x));
  net_gemm(net, "classifier.1", x, 1280, 1000, pmath_sqrt(1.0 / 1280), "output");
  class_output(net);
}

void synth_vgg16(struct net *net) {
  static const int64_t channels[] = {64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0}; // 0: pool
  const char *x = image_input(net);
  int64_t in = 3;
  int layer = 0; // PyTorch counts each conv, each ReLU and each pool
  for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
    char prefix[32];
    snprintf(prefix, sizeof prefix, "features.%d", layer);
    layer += channels[i] ? 2 : 1;
    if (!channels[i]) {
      x = max_pool(net, x, 2, 2, 0);
      continue;
    }
    x = net_op(net, "Relu", NULL, "%s", net_conv(net, prefix, x, &(struct net_conv){in, channels[i], 3, 1, 1, 1}, true));
    in = channels[i];
  }
  x = flatten(net, x);
  x = net_op(net, "Relu", NULL, "%s", net_gemm(net, "classifier.0", x, 25088, 4096, pmath_sqrt(2.0 / 25088), NULL));
  x = net_op(net, "Relu", NULL, "%s", net_gemm(net, "classifier.3", x, 4096, 4096, pmath_sqrt(2.0 / 4096), NULL));
  net_gemm(net, "classifier.6", x, 4096, 1000, pmath_sqrt(1.0 / 4096), "output");
  class_output(net);
}

void synth_mlp(struct net *net) {
  static const int64_t widths[] = {1024, 4096, 4096, 1024};
  char dims[64];
  snprintf(dims, sizeof dims, "%s 1024", net_batch(net));
  const char *x = net_input(net, "input", net->options.dtype, dims);
  for (int i = 0; i < 3; i++) {
    char prefix[16];
    snprintf(prefix, sizeof prefix, "%d", 2 * i);
    x = net_gemm(net, prefix, x, widths[i], widths[i + 1], pmath_sqrt(2.0 / (double)widths[i]), i == 2 ? "output" : NULL);
    if (i < 2) x = net_op(net, "Relu", NULL, "%s", x);
  }
  net_output(net, "output", net->options.dtype, dims);
}
