/* One kernel step: which variant, what it packs, how much workspace. */
#include "emit.h"

#include <stdlib.h>
#include <string.h>

#define HOST_PIN "host" // the variant of a step that a GPU leaves to the host

/* The name a decision is pinned by: the node's first output. */
static const char *pin_name(const struct node *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) return node->outputs[i]->name;
  return node->name;
}

/* A pin of a library names the version that was measured, and the fallback: what this machine has is not asked. */
static enum farm_status library_from_pin(const struct lock_pin *pin, const struct node *node, const struct problem *problem,
                                         const struct link_target *target, struct link_choice *out) {
  bool own = link_is_own(NULL, &out->variant);
  FAIL_IF(own && pin->library, FARM_MISMATCH, "%s: the lock file pins %s, which is no library's, with a library", node->name,
          pin->variant);
  if (own) return FARM_OK;
  FAIL_IF(!pin->library, FARM_MISMATCH, "%s: the lock file pins %s without the library's version and a fallback: make it anew",
          node->name, pin->variant);
  enum farm_status status = variant_parse(pin->fallback, &out->fallback);
  FAIL_IF(status != FARM_OK, FARM_MISMATCH, "%s: the lock file pins %s, which this tunefarm does not know", node->name,
          pin->fallback);
  struct problem variables = problem_of_variables(problem);
  bool fits = link_is_own(NULL, &out->fallback) && tactic_fits(out->fallback.tactic, &target->device_class);
  FAIL_IF(!fits || !variant_legal(&variables, &out->fallback), FARM_MISMATCH,
          "%s: the lock file pins the fallback %s, which does not apply here", node->name, pin->fallback);
  out->library = pin->library;
  return FARM_OK;
}

static enum farm_status choice_from_pin(const struct lock_pin *pin, const struct node *node, const struct problem *problem,
                                        const struct link_target *target, struct link_choice *out) {
  if (target->device_class.kind == DEVICE_CUDA && strcmp(pin->variant, HOST_PIN) == 0) {
    *out = link_choice_host(problem);
    return FARM_OK;
  }
  enum farm_status status = variant_parse(pin->variant, &out->variant);
  FAIL_IF(status != FARM_OK, FARM_MISMATCH, "%s: the lock file pins %s, which this tunefarm does not know", node->name,
          pin->variant);
  bool fits = tactic_fits(out->variant.tactic, &target->device_class);
  FAIL_IF(!fits || !variant_legal(problem, &out->variant), FARM_MISMATCH, "%s: the lock file pins %s, which does not apply here",
          node->name, pin->variant);
  TRY(library_from_pin(pin, node, problem, target, out));
  out->median_ns = pin->median_ns;
  out->ci95_ns = pin->ci95_ns;
  out->candidates = pin->candidates;
  out->ties = pin->ties;
  out->error = pin->error;
  out->estimated_ns = variant_cost(problem, &out->variant, &target->device_class, target->threads);
  return FARM_OK;
}

static bool shapes_are_fixed(const struct emitter *emitter, const struct plan_step *step) {
  for (int i = 0; i < step->input_count; i++)
    if (step->inputs[i] != PLAN_NO_INDEX && !emitter->plan->values[step->inputs[i]].fixed) return false;
  for (int i = 0; i < step->output_count; i++)
    if (step->outputs[i] != PLAN_NO_INDEX && !emitter->plan->values[step->outputs[i]].fixed) return false;
  return true;
}

static enum farm_status choice_make(struct emitter *emitter, const struct node *node, const struct plan_step *step,
                                    const struct problem *problem, const char *text, struct link_choice *out) {
  enum tactic_layout layout = layout_of_node(node);
  bool placed = !emitter->cuda || emit_may_run_on_device(emitter, node, step);
  *out = (struct link_choice){0};
  if (emitter->pins) {
    const struct lock_pin *pin = lock_pin_find(emitter->pins, pin_name(node));
    FAIL_IF(!pin, FARM_MISMATCH, "%s: the lock file has no pin for %s", node->name, pin_name(node));
    TRY(choice_from_pin(pin, node, problem, emitter->target, out));
    FAIL_IF(!placed && !out->host, FARM_MISMATCH, "%s: the lock file pins %s, but it runs on the host", node->name, pin->variant);
  } else if (!placed) {
    *out = link_choice_host(problem);
  } else {
    TRY(link_choose(emitter->target, problem, text, layout, out));
    if (emitter->cuda && !out->host && !shapes_are_fixed(emitter, step))
      TRY(emit_prefer_general(emitter, node, problem, layout, out));
  }
  char variant[VARIANT_TEXT_MAX] = HOST_PIN, fallback[VARIANT_TEXT_MAX];
  if (!out->host) variant_print(&out->variant, variant);
  struct lock_pin noted = {pin_name(node), layout_pinned(node), variant,    out->median_ns, out->ci95_ns,
                           out->candidates, out->ties,          out->error, out->library,   NULL};
  if (out->library) {
    variant_print(&out->fallback, fallback);
    noted.fallback = fallback;
  }
  return emitter->lock_section ? lock_pin_add(emitter->lock, emitter->lock_section, &noted) : FARM_OK;
}

/* The packed form of the constant operand becomes a weight of its own; the row-major one is kept only where something reads it.
 */
static enum farm_status pack(struct emitter *emitter, const struct node *node, const struct problem *problem,
                             const struct variant *variant, struct plan_step *step) {
  const struct tactic *tactic = variant->tactic;
  int operand = tactic->packed_operand;
  if (operand < 0 || operand >= node->input_count || !node->inputs[operand] || !node->inputs[operand]->constant) return FARM_OK;
  size_t bytes = variant_packed_bytes(problem, variant);
  if (bytes == 0) return FARM_OK;
  void *packed = aligned_alloc(64, (bytes + 63) / 64 * 64);
  FAIL_IF(!packed, FARM_NO_MEMORY, "%s: out of memory for %zu bytes of packed weights", node->name, bytes);
  memset(packed, 0, (bytes + 63) / 64 * 64);
  tactic->pack(problem, variant, node->inputs[operand]->constant->data, packed);
  TRY(weights_add_owned(emitter->weights, packed, bytes, &step->packed_weight));
  step->packed_input = (uint32_t)operand;
  step->packing_revision = (uint32_t)tactic->packing_revision;
  return FARM_OK;
}

/* Row-major constants are needed by every operand that is not packed, and where shapes vary (another variant may have to step
 * in). */
static enum farm_status constants_keep(struct emitter *emitter, const struct node *node, const struct plan_step *step) {
  bool fixed = shapes_are_fixed(emitter, step);
  for (int i = 0; i < node->input_count; i++) {
    if (!node->inputs[i] || !node->inputs[i]->constant) continue;
    if (fixed && step->packed_weight != PLAN_NO_INDEX && step->packed_input == (uint32_t)i) continue;
    TRY(emit_constant_data(emitter, step->inputs[i], node->inputs[i]));
  }
  return FARM_OK;
}

static size_t workspace_of(const struct emitter *emitter, const struct problem *problem, const struct variant *variant) {
  return variant_legal(problem, variant) ? variant_workspace(problem, variant, emitter->target->threads) : 0;
}

/* Whichever runs: the chosen variant, or its fallback. */
static enum farm_status workspace(struct emitter *emitter, const struct node *node, const struct link_choice *choice,
                                  struct plan_step *step) {
  struct problem problem;
  const char *text;
  enum farm_status status = node_problem(node, &emitter->largest, false, &emitter->scratch, &problem, &text);
  if (status == FARM_AGAIN) return FARM_OK; // the runtime finds it out
  TRY(status);
  step->workspace_bytes = workspace_of(emitter, &problem, &choice->variant);
  if (!choice->library) return FARM_OK;
  struct problem variables = problem_of_variables(&problem);
  size_t fallback = workspace_of(emitter, &variables, &choice->fallback);
  if (fallback > step->workspace_bytes) step->workspace_bytes = fallback;
  return FARM_OK;
}

static enum farm_status images(struct emitter *emitter, const struct problem *problem, const struct link_choice *choice,
                               struct plan_step *step) {
  TRY(emit_image(emitter, problem, &choice->variant, step, &step->image));
  if (!choice->library) return FARM_OK;
  struct problem variables = problem_of_variables(problem);
  char fallback[VARIANT_TEXT_MAX];
  variant_print(&choice->fallback, fallback);
  step->library = arena_string(emitter->arena, choice->library, strlen(choice->library));
  step->fallback = arena_string(emitter->arena, fallback, strlen(fallback));
  FAIL_IF(!step->library || !step->fallback, FARM_NO_MEMORY, "out of memory for a step");
  return emit_image(emitter, &variables, &choice->fallback, step, &step->fallback_image);
}

enum farm_status emit_kernel(struct emitter *emitter, const struct node *node, struct plan_step *step) {
  struct problem problem;
  struct link_choice choice;
  const char *text;
  step->packed_weight = PLAN_NO_INDEX;
  enum farm_status status = node_problem(node, &emitter->optimal, false, &emitter->scratch, &problem, &text);
  if (status == FARM_AGAIN) { // shapes only data can tell: the reference by name, the runtime may take better
    step->problem = "";
    step->variant = "";
    return constants_keep(emitter, node, step);
  }
  if (status != FARM_OK) return status_prefix(status, "%s", node->name);
  TRY(choice_make(emitter, node, step, &problem, text, &choice));
  char variant[VARIANT_TEXT_MAX] = "";
  if (!choice.host) variant_print(&choice.variant, variant);
  step->variant = arena_string(emitter->arena, variant, strlen(variant));
  step->problem = arena_string(emitter->arena, text, strlen(text));
  FAIL_IF(!step->variant || !step->problem, FARM_NO_MEMORY, "out of memory for a step");
  step->estimated_ns = choice.estimated_ns;
  step->median_ns = choice.median_ns;
  step->ci95_ns = choice.ci95_ns;
  step->candidates = choice.candidates;
  step->ties = choice.ties;
  step->error = choice.error;
  if (choice.host) return constants_keep(emitter, node, step);
  if (emitter->cuda) TRY(images(emitter, &problem, &choice, step));
  step->packing_revision = (uint32_t)choice.variant.tactic->packing_revision;
  TRY(pack(emitter, node, &problem, &choice.variant, step));
  TRY(constants_keep(emitter, node, step));
  return workspace(emitter, node, &choice, step);
}
