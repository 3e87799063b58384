/* What of a CUDA section may run on the device, and the images that it runs. The runtime decides anew for the shapes at hand, and
 * takes any step to the host that does not fit; here it is foreseen which steps never can be the device's, so that the host finds
 * what it needs and the report is honest. */
#include "emit.h"

#include "../../kernels/cuda/cuda-tactic.h"

#include <string.h>

/* ---- what is known before it runs ---- */

static bool input_settled(const struct emitter *emitter, const struct node *node, int i) {
  const struct value *value = node->inputs[i];
  if (!value || value->constant) return true;
  if (emitter->unsettled[value->id]) return false;
  bool contents = i < 32 && node->row->host_inputs >> i & 1;
  uint32_t index = emit_index(emitter, value);
  return !contents || (index != PLAN_NO_INDEX && emitter->plan->values[index].place == VALUE_HOST);
}

static bool type_settled(const struct emitter *emitter, const struct value *value) {
  struct tensor type = emit_type(value, &emitter->largest);
  return tensor_elems(&type) >= 0;
}

void emit_settle(struct emitter *emitter, const struct node *node) {
  bool settled = node->graph == emitter->model->graph && !(node->row->flags & OPERATOR_CONTROL);
  for (int i = 0; i < node->input_count && settled; i++) settled = input_settled(emitter, node, i);
  for (int i = 0; i < node->output_count && settled; i++) settled = !node->outputs[i] || type_settled(emitter, node->outputs[i]);
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) emitter->unsettled[node->outputs[i]->id] = !settled;
}

/* ---- places ---- */

static bool lies_on_device(const struct plan *plan, uint32_t index) {
  if (index == PLAN_NO_INDEX) return true;
  while (plan->values[index].place == VALUE_VIEW && plan->values[index].of != PLAN_NO_INDEX) index = plan->values[index].of;
  const struct plan_value *value = &plan->values[index];
  if (value->place == VALUE_CONSTANT || value->place == VALUE_NONE) return true; // becomes a constant, or is packed
  bool bytes = value->place == VALUE_ARENA || value->place == VALUE_INPUT || value->place == VALUE_OUTPUT;
  return bytes && value->bytes > 0;
}

/* Shapes and parameters that the host computes when shapes are prepared: a kernel's launch is made of them. */
static bool known_on_host(const struct emitter *emitter, const struct node *node, const struct plan_step *step, int i) {
  bool contents = i < 32 && node->row->host_inputs >> i & 1;
  return contents && step->inputs[i] != PLAN_NO_INDEX && emitter->plan->values[step->inputs[i]].place == VALUE_HOST;
}

bool emit_may_run_on_device(const struct emitter *emitter, const struct node *node, const struct plan_step *step) {
  if (node->graph != emitter->model->graph) return false;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && emitter->unsettled[node->outputs[i]->id]) return false;
  for (int i = 0; i < step->input_count; i++)
    if (!lies_on_device(emitter->plan, step->inputs[i]) && !known_on_host(emitter, node, step, i)) return false;
  for (int i = 0; i < step->output_count; i++)
    if (!lies_on_device(emitter->plan, step->outputs[i])) return false;
  return true;
}

/* ---- shapes that vary ---- */

struct texts {
  const struct problem *optimal, *largest;
};

static bool texts_are_equal(void *context, const struct variant *variant) {
  const struct texts *texts = context;
  const struct cuda_tactic *tactic = cuda_tactic_of(variant->tactic);
  struct strbuf at[2] = {{0}};
  bool equal = tactic && tactic->source && variant_legal(texts->largest, variant) &&
               tactic->source(texts->optimal, variant, &at[0]) == FARM_OK &&
               tactic->source(texts->largest, variant, &at[1]) == FARM_OK && !at[0].failed && !at[1].failed &&
               strcmp(strbuf_text(&at[0]), strbuf_text(&at[1])) == 0;
  strbuf_free(&at[0]);
  strbuf_free(&at[1]);
  return equal;
}

/* Tactic NULL: `variant` is as general as any. */
static struct variant more_general(const struct emitter *emitter, const struct texts *texts, enum tactic_layout layout,
                                   const struct variant *variant) {
  struct texts asked = *texts;
  if (texts_are_equal(&asked, variant)) return (struct variant){0};
  return link_cheapest(emitter->target, texts->optimal, layout, texts_are_equal, &asked);
}

static void prefer_general_fallback(const struct emitter *emitter, const struct texts *texts, enum tactic_layout layout,
                                    struct link_choice *choice) {
  struct problem optimal = problem_of_variables(texts->optimal), largest = problem_of_variables(texts->largest);
  struct texts variables = {&optimal, &largest};
  struct variant general = more_general(emitter, &variables, layout, &choice->fallback);
  if (general.tactic) choice->fallback = general;
}

enum farm_status emit_prefer_general(struct emitter *emitter, const struct node *node, const struct problem *problem,
                                     enum tactic_layout layout, struct link_choice *choice) {
  struct problem largest;
  const char *text;
  enum farm_status status = node_problem(node, &emitter->largest, false, &emitter->scratch, &largest, &text);
  if (status == FARM_AGAIN) return FARM_OK;
  TRY(status);
  struct texts texts = {problem, &largest};
  if (choice->library && variant_legal(&largest, &choice->variant)) {
    prefer_general_fallback(emitter, &texts, layout, choice);
    return FARM_OK;
  }
  struct variant general = more_general(emitter, &texts, layout, &choice->variant);
  if (!general.tactic) return FARM_OK;
  double ns = variant_cost(problem, &general, &emitter->target->device_class, emitter->target->threads);
  *choice = (struct link_choice){.variant = general, .estimated_ns = ns};
  return FARM_OK;
}

/* ---- images ---- */

static enum farm_status image_add(struct emitter *emitter, const char *source, const char *hex, uint32_t *out_index) {
  const struct link_images *images = emitter->target->images;
  struct bytes_writer image = {0};
  enum farm_status status = images->get(images->context, source, emitter->target->device_class.sm, &image);
  if (status == FARM_OK && (image.failed || image.length == 0)) status = status_set(FARM_FAILURE, "an image without bytes");
  if (status != FARM_OK) {
    bytes_writer_free(&image);
    return status;
  }
  TRY(weights_add_owned(emitter->weights, image.data, image.length, out_index)); // takes it over
  return map_set(&emitter->images, hex, (void *)(uintptr_t)(*out_index + 1u));
}

enum farm_status emit_image(struct emitter *emitter, const struct problem *problem, const struct variant *variant,
                            const struct plan_step *step, uint32_t *out_image) {
  const struct cuda_tactic *tactic = cuda_tactic_of(variant->tactic);
  *out_image = PLAN_NO_INDEX;
  if (!tactic || !tactic->source) return FARM_OK;
  struct strbuf source = {0};
  char hex[DIGEST_HEX_BYTES];
  enum farm_status status = tactic->source(problem, variant, &source);
  if (status == FARM_OK && source.failed) status = FARM_NO_MEMORY;
  if (status == FARM_OK) {
    struct digest digest = digest_of_text(strbuf_text(&source));
    digest_to_hex(&digest, hex);
    uintptr_t found = (uintptr_t)map_get(&emitter->images, hex);
    *out_image = (uint32_t)(found - 1);
    if (!found) status = image_add(emitter, strbuf_text(&source), hex, out_image);
  }
  strbuf_free(&source);
  return status == FARM_OK ? FARM_OK : status_prefix(status, "%s: %s", step->name, variant->tactic->id);
}
