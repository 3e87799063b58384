/* The arena of real plans, judged by code of its own: from the steps and places of a linked engine follows which bytes are alive
 * when, and from that the least memory this order of steps can do with. Nothing here knows how the linker found its offsets.
 *
 *   storage   a value in the arena, with all views of it: alive from the first step that writes any of it to the last that reads
 * any bound     largest sum, over the steps, of aligned storages alive plus workspace; what a map writes over its dying operand
 * counts once
 */
#include "model-case-test.h"

#include "../engine/format/engine-file.h"

enum { ALIGNMENT = 64 };

struct arena_check {
  const struct plan *plan;
  const struct plan_block *steps;
  int *first, *last; // by value: steps; first -1: not a storage that is written
  uint64_t bound;
};

static uint32_t storage_of(const struct plan *plan, uint32_t value) {
  while (plan->values[value].place == VALUE_VIEW) value = plan->values[value].of;
  return value;
}

static uint64_t aligned(uint64_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

static void use(struct arena_check *check, uint32_t value, int step, bool write) {
  if (value == PLAN_NO_INDEX) return;
  uint32_t storage = storage_of(check->plan, value);
  if (write && check->first[storage] < 0) check->first[storage] = step;
  check->last[storage] = step; // steps are walked in order
}

static void block_use(struct arena_check *check, const struct plan_block *block, int step) {
  for (int s = 0; s < block->step_count; s++) {
    for (int i = 0; i < block->steps[s].input_count; i++) use(check, block->steps[s].inputs[i], step, false);
    for (int b = 0; b < 2; b++)
      if (block->steps[s].blocks[b] != PLAN_NO_INDEX) block_use(check, &check->plan->blocks[block->steps[s].blocks[b]], step);
  }
  for (int i = 0; i < block->output_count; i++) use(check, block->outputs[i], step, false);
}

static void lives_walk(struct arena_check *check) {
  for (int s = 0; s < check->steps->step_count; s++) {
    const struct plan_step *step = &check->steps->steps[s];
    for (int i = 0; i < step->input_count; i++) use(check, step->inputs[i], s, false);
    for (int i = 0; i < step->output_count; i++) use(check, step->outputs[i], s, step->kind != STEP_VIEW);
    for (int b = 0; b < 2; b++)
      if (step->blocks[b] != PLAN_NO_INDEX) block_use(check, &check->plan->blocks[step->blocks[b]], s);
  }
}

static bool alive(const struct arena_check *check, uint32_t value, int step) {
  const struct plan_value *v = &check->plan->values[value];
  return v->place == VALUE_ARENA && v->bytes && check->first[value] >= 0 && check->first[value] <= step &&
         step <= check->last[value];
}

static bool overlap(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes) { return a < b + b_bytes && b < a + a_bytes; }

static bool step_reads(const struct plan_step *step, const struct plan *plan, uint32_t storage) {
  for (int i = 0; i < step->input_count; i++)
    if (step->inputs[i] != PLAN_NO_INDEX && storage_of(plan, step->inputs[i]) == storage) return true;
  return false;
}

/* `out` is born at this step in the very bytes of `in`, which dies there, and the step goes element by element. */
static bool written_over(const struct arena_check *check, int s, uint32_t in, uint32_t out) {
  const struct plan_step *step = &check->steps->steps[s];
  const struct plan_value *from = &check->plan->values[in], *to = &check->plan->values[out];
  bool elementwise = step->kind == STEP_KERNEL && strcmp(step->op, "Map") == 0 && !attr_has(&step->attrs, "axes");
  return elementwise && check->last[in] == s && check->first[out] == s && step->output_count == 1 && step->outputs[0] == out &&
         step_reads(step, check->plan, in) && from->offset == to->offset && from->bytes == to->bytes &&
         from->type.dtype == to->type.dtype && tensor_shape_equal(&from->type, &to->type);
}

/* No two that are alive at step s share a byte but for the one exception; returns the aligned bytes alive. */
static uint64_t step_check(const struct arena_check *check, int s, const char *name, const uint32_t *live, int count) {
  const struct plan_step *step = &check->steps->steps[s];
  uint64_t bytes = aligned(step->workspace_bytes);
  for (int i = 0; i < count; i++) {
    const struct plan_value *a = &check->plan->values[live[i]];
    bytes += aligned(a->bytes);
    CHECK_MESSAGE(a->offset + a->bytes <= check->plan->arena_bytes, "%s: %s ends outside the arena", name, a->name);
    CHECK_MESSAGE(!step->workspace_bytes || !overlap(a->offset, a->bytes, step->workspace_offset, step->workspace_bytes),
                  "%s: the workspace of %s lies on %s", name, step->name, a->name);
    for (int j = 0; j < i; j++) {
      const struct plan_value *b = &check->plan->values[live[j]];
      if (!overlap(a->offset, a->bytes, b->offset, b->bytes)) continue;
      bool in_place = written_over(check, s, live[i], live[j]) || written_over(check, s, live[j], live[i]);
      CHECK_MESSAGE(in_place, "%s: at %s both %s and %s are alive, in the same place", name, step->name, a->name, b->name);
      if (in_place) bytes -= aligned(a->bytes);
    }
  }
  return bytes;
}

static void plan_judge(const struct plan *plan, const char *name) {
  size_t count = (size_t)plan->value_count + 1;
  struct arena_check check = {plan, &plan->blocks[0], malloc(count * sizeof(int)), malloc(count * sizeof(int)), 0};
  uint32_t *live = malloc(count * sizeof *live);
  REQUIRE(check.first && check.last && live);
  for (size_t i = 0; i < count; i++) check.first[i] = check.last[i] = -1;
  lives_walk(&check);
  for (int s = 0; s < check.steps->step_count; s++) {
    int alive_count = 0;
    for (uint32_t v = 0; v < (uint32_t)plan->value_count; v++)
      if (alive(&check, v, s)) live[alive_count++] = v;
    uint64_t bytes = step_check(&check, s, name, live, alive_count);
    if (bytes > check.bound) check.bound = bytes;
  }
  printf("  %-14s arena %10llu, bound %10llu (%.4f)\n", name, (unsigned long long)plan->arena_bytes,
         (unsigned long long)check.bound, (double)plan->arena_bytes / (double)check.bound);
  CHECK_MESSAGE(plan->lower_bound_bytes == check.bound, "%s: the plan says %llu, not %llu", name,
                (unsigned long long)plan->lower_bound_bytes, (unsigned long long)check.bound);
  CHECK_MESSAGE((double)plan->arena_bytes <= 1.05 * (double)check.bound, "%s: more than 1.05 times the bound", name);
  CHECK_MESSAGE(check.bound > 0, "%s: nothing in the arena", name);
  free(check.first);
  free(check.last);
  free(live);
}

static void arena_judge(const char *path, const char *name, struct model_options options) {
  char engine_path[PATH_MAX];
  struct engine *engine;
  snprintf(engine_path, sizeof engine_path, "%s/arena.engine", test_folder());
  model_build(path, engine_path, &options);
  REQUIRE_OK(engine_open(engine_path, true, &engine));
  for (int i = 0; i < engine->section_count; i++) plan_judge(&engine->sections[i].plan, name);
  engine_close(&engine);
  remove(engine_path);
}

TEST(arena_is_near_its_bound, "timeout:120") {
  arena_judge(synth_make("mlp", (struct synth_options){.batch = 8}), "mlp", (struct model_options){.threads = 2});
  arena_judge(synth_make("mobilenetv2", (struct synth_options){0}), "mobilenetv2", (struct model_options){.threads = 2});
  arena_judge(synth_make("mobilenetv2", (struct synth_options){.batch = 4}), "mobilenetv2 x4",
              (struct model_options){.threads = 1});
}

TEST(arena_of_real_models, "") {
  char *path = strdup(test_data("models/FastestDet/model.onnx"));
  arena_judge(path, "FastestDet", (struct model_options){.threads = 2});
  free(path);
}

#define ARENA(test_name, name, ...)                                                                                              \
  TEST(arena_of_##test_name, "slow parallel timeout:300") {                                                                      \
    arena_judge(synth_make(name, (struct synth_options){__VA_ARGS__}), name, (struct model_options){.threads = 2});              \
  }
ARENA(resnet50, "resnet50", .batch = 1)
ARENA(vgg16, "vgg16", .batch = 1)
ARENA(vit, "vit-b16", .batch = 1)
ARENA(bert, "bert-base", .batch = 1, .seq = 128)
ARENA(gpt2, "gpt2", .batch = 1, .seq = 64)

TEST(arena_of_a_range_of_shapes, "slow parallel timeout:300") {
  arena_judge(synth_make("bert-base", (struct synth_options){.dynamic = true}), "bert-base",
              (struct model_options){.shapes = {"input_ids=1x8:2x16:4x32"}});
}
