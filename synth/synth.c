/* The list of architectures. */
#include "net.h"

#include <string.h>

static const struct synth_model models[] = {
    {"resnet50", "ResNet-50, 224x224, 25.6 M weights", 0},
    {"mobilenetv2", "MobileNetV2 1.0, 224x224, 3.5 M weights", 0},
    {"vgg16", "VGG-16, 224x224, 138 M weights", 0},
    {"bert-base", "BERT-base encoder, 110 M weights", 128},
    {"gpt2", "GPT-2 small, all logits, no cache, 124 M weights and an untied head", 64},
    {"vit-b16", "ViT-B/16, 224x224, 86 M weights", 0},
    {"mlp", "perceptron 1024-4096-4096-1024, 25 M weights", 0},
};
enum { MODELS = sizeof models / sizeof *models };

static void (*const writers[])(struct net *) = {synth_resnet50, synth_mobilenetv2, synth_vgg16, synth_bert_base,
                                                synth_gpt2,     synth_vit_b16,     synth_mlp};
_Static_assert(sizeof writers / sizeof *writers == MODELS, "one writer for each model");

const struct synth_model *synth_models(int *out_count) {
  *out_count = MODELS;
  return models;
}

enum farm_status synth_write(const char *name, const struct synth_options *options, const char *path) {
  int index = 0;
  while (index < MODELS && strcmp(models[index].name, name) != 0) index++;
  FAIL_IF(index == MODELS, FARM_USAGE, "no architecture `%s`; `tunefarm synth --help` lists them", name);
  FAIL_IF(options->dtype != DTYPE_F32 && options->dtype != DTYPE_F16 && options->dtype != DTYPE_BF16, FARM_USAGE,
          "--dtype %s: f32, f16 or bf16", dtype_name(options->dtype));
  FAIL_IF(options->batch < 1 || options->batch > 65536, FARM_USAGE, "--batch %lld is not between 1 and 65536",
          (long long)options->batch);
  FAIL_IF(options->seq && !models[index].usual_seq, FARM_USAGE, "--seq: %s has no sequences", name);
  int64_t most = strcmp(name, "gpt2") == 0 ? 1024 : 512; // rows of its table of positions
  FAIL_IF(options->seq < 0 || options->seq > most, FARM_USAGE, "--seq %lld is not between 1 and %lld", (long long)options->seq,
          (long long)most);
  struct net net;
  struct synth_options asked = *options;
  if (!asked.seq) asked.seq = models[index].usual_seq;
  net_begin(&net, &asked, 17);
  writers[index](&net);
  return net_end(&net, path);
}
