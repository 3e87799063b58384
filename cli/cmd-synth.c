/* `tunefarm synth`: writes a real architecture with seeded weights as ONNX. */
#include "command.h"

#include "../base/log.h"
#include "../synth/synth.h"

#include <stdio.h>
#include <string.h>

static enum farm_status run(int argc, char **argv) {
  struct synth_options synth = {.seed = 1, .dtype = DTYPE_F32, .batch = 1};
  const char *output = NULL, *dtype = "f32";
  int64_t seed = 1;
  const struct option rows[] = {
      {"output", OPTION_TEXT, &output, 0, 0, "MODEL.onnx", "where the model goes (also -o)", false},
      {"seed", OPTION_INTEGER, &seed, 0, 9e15, "N", "of the weights (1)", false},
      {"dtype", OPTION_TEXT, &dtype, 0, 0, "T", "f32, f16 or bf16", false},
      {"batch", OPTION_INTEGER, &synth.batch, 1, 65536, "N", "batch size (1)", false},
      {"seq", OPTION_INTEGER, &synth.seq, 1, 1024, "N", "sequence length", false},
      {"dynamic", OPTION_FLAG, &synth.dynamic, 0, 0, NULL, "leave batch and sequence length symbolic", false},
      {0},
  };
  char usage[1024] = "NAME -o MODEL.onnx [options]\n\nNames:\n";
  int count;
  const struct synth_model *models = synth_models(&count);
  for (int i = 0; i < count; i++)
    snprintf(usage + strlen(usage), sizeof usage - strlen(usage), "  %-14s%s\n", models[i].name, models[i].summary);
  usage[strlen(usage) - 1] = 0;
  const struct options options = {
      "synth", usage, "Writes a real architecture with seeded weights; the same bytes on every machine.",
      "  tunefarm synth resnet50 -o resnet50.onnx\n  tunefarm synth bert-base -o bert.onnx --batch 8 --seq 128\n", rows};
  struct option_list positional = {0};
  bool help;
  enum farm_status status = options_parse(&options, argc, argv, &positional, &help);
  synth.seed = (uint64_t)seed;
  synth.dtype = dtype_from_name(dtype);
  if (status == FARM_OK && !help) {
    if (positional.count != 1)
      status = status_set(FARM_USAGE, "one name is needed, %zu were given", positional.count);
    else if (synth.dtype == DTYPE_NONE)
      status = status_set(FARM_USAGE, "--dtype %s: f32, f16 or bf16", dtype);
    else if (!output)
      status = status_set(FARM_USAGE, "no --output for the model");
    else
      status = synth_write(positional.items[0], &synth, output);
  }
  option_list_free(&positional);
  return status;
}

const struct command command_synth = {"synth", "write a real architecture with seeded weights", run};
