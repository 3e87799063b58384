/* See link.h. */
#include "link.h"

#include "decide.h"
#include "emit.h"

#include "../../base/array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef TUNEFARM_VERSION
#define TUNEFARM_VERSION "0.1.0"
#endif

struct link_engine {
  struct engine engine;
  struct weight_table weights;
  size_t section_capacity;
};

enum farm_status link_engine_create(const char *model_name, const struct digest *model_digest, const char *options,
                                    struct link_engine **out_engine) {
  struct link_engine *made = calloc(1, sizeof *made);
  FAIL_IF(!made, FARM_NO_MEMORY, "out of memory for an engine");
  made->engine.model_name = arena_string(&made->engine.arena, model_name, strlen(model_name));
  made->engine.options = arena_string(&made->engine.arena, options, strlen(options));
  made->engine.model_digest = *model_digest;
  made->engine.build = TUNEFARM_VERSION;
  if (!made->engine.model_name || !made->engine.options) {
    link_engine_free(&made);
    return FARM_NO_MEMORY;
  }
  *out_engine = made;
  return FARM_OK;
}

void link_engine_free(struct link_engine **engine) {
  if (!*engine) return;
  weights_free(&(*engine)->weights);
  free((*engine)->engine.sections);
  arena_free(&(*engine)->engine.arena);
  free(*engine);
  *engine = NULL;
}

struct engine *link_engine_get(struct link_engine *engine) {
  engine->engine.weights = engine->weights.items;
  engine->engine.weight_count = (int)engine->weights.count;
  return &engine->engine;
}

/* Layouts as pinned: a node is channels-last when its pin says so. */
static enum farm_status labels_from_pins(const struct model *model, const struct lock_section *pins, uint8_t *labels) {
  struct arena names = {0};
  enum farm_status status = FARM_OK;
  int index = 0;
  for (const struct node *node = model->graph->first; node; node = node->next, index++) {
    labels[index] = 0;
    if (layout_role(node) == LAYOUT_RIGID || !node->outputs[0]) continue;
    const char *twin = layout_twin_name(node->outputs[0], &names);
    if (!twin) {
      status = status_set(FARM_NO_MEMORY, "out of memory for layouts");
      break;
    }
    const struct lock_pin *pin = lock_pin_find(pins, twin); // a moved node writes its twin, and so does a change of layout
    labels[index] = pin && strcmp(pin->layout, "nhwc") == 0;
  }
  arena_free(&names);
  return status;
}

static enum farm_status layouts_choose(struct model *model, const struct link_target *target, const struct lock_section *pins) {
  int node_count = 0;
  for (const struct node *node = model->graph->first; node; node = node->next) node_count++;
  uint8_t *labels = calloc((size_t)node_count + 1, 1);
  FAIL_IF(!labels, FARM_NO_MEMORY, "out of memory for layouts");
  struct link_shapes shapes = {0};
  double ns;
  enum farm_status status = link_shapes_infer(model, LINK_OPTIMAL, &shapes);
  if (status == FARM_OK && pins)
    status = labels_from_pins(model, pins, labels);
  else if (status == FARM_OK)
    status = link_decide_layouts(model, &shapes, target, labels, &ns);
  if (status == FARM_OK) status = layout_apply(model, labels);
  link_shapes_free(&shapes);
  free(labels);
  return status;
}

/* Input and output types as the user sees them: symbols in the dims, from the IR. */
static enum farm_status bindings_fill(struct emitter *emitter) {
  const struct model *model = emitter->model;
  struct plan *plan = emitter->plan;
  const struct graph *graph = model->graph;
  plan->input_types = arena_alloc_array(emitter->arena, (size_t)graph->input_count + 1, sizeof *plan->input_types);
  plan->output_types = arena_alloc_array(emitter->arena, (size_t)graph->output_count + 1, sizeof *plan->output_types);
  plan->symbols = arena_alloc_array(emitter->arena, (size_t)model->symbol_count + 1, sizeof *plan->symbols);
  FAIL_IF(!plan->input_types || !plan->output_types || !plan->symbols, FARM_NO_MEMORY, "out of memory for bindings");
  for (int i = 0; i < graph->input_count; i++) plan->input_types[i] = graph->inputs[i]->type;
  for (int i = 0; i < graph->output_count; i++) {
    plan->output_types[i] = graph->outputs[i]->constant ? *graph->outputs[i]->constant : graph->outputs[i]->type;
    plan->output_types[i].data = NULL;
  }
  for (int i = 0; i < model->symbol_count; i++) {
    const struct symbol *symbol = &model->symbols[i];
    const char *name = arena_string(emitter->arena, symbol->name, strlen(symbol->name));
    FAIL_IF(!name, FARM_NO_MEMORY, "out of memory for bindings");
    plan->symbols[i] = (struct plan_symbol){name, symbol->min, symbol->opt, symbol->max};
  }
  plan->symbol_count = model->symbol_count;
  return FARM_OK;
}

/* The plan's growing arrays move into the engine's arena. */
static enum farm_status arrays_settle(struct emitter *emitter, struct plan_value *grown_values, struct plan_block *grown_blocks) {
  struct plan *plan = emitter->plan;
  plan->values = arena_copy(emitter->arena, grown_values, (size_t)plan->value_count * sizeof *plan->values);
  plan->blocks = arena_copy(emitter->arena, grown_blocks, (size_t)plan->block_count * sizeof *plan->blocks);
  FAIL_IF(!plan->values || !plan->blocks, FARM_NO_MEMORY, "out of memory for a plan");
  return FARM_OK;
}

static enum farm_status plan_emit(struct emitter *emitter) {
  size_t count = (size_t)emitter->model->next_value_id + 1;
  emitter->index_of = arena_alloc_array(&emitter->scratch, count, sizeof *emitter->index_of);
  FAIL_IF(!emitter->index_of, FARM_NO_MEMORY, "out of memory for %zu values", count);
  for (size_t i = 0; i < count; i++) emitter->index_of[i] = PLAN_NO_INDEX;
  emitter->unsettled = arena_alloc_array(&emitter->scratch, count, 1);
  FAIL_IF(!emitter->unsettled, FARM_NO_MEMORY, "out of memory for %zu values", count);
  TRY(link_shapes_infer(emitter->model, LINK_OPTIMAL, &emitter->optimal));
  TRY(link_shapes_infer(emitter->model, LINK_LARGEST, &emitter->largest));
  uint32_t main_block;
  enum farm_status status = emit_graph(emitter, emitter->model->graph, &main_block);
  struct plan_value *values = emitter->plan->values;
  struct plan_block *blocks = emitter->plan->blocks;
  if (status == FARM_OK) status = arrays_settle(emitter, values, blocks);
  free(values);
  free(blocks);
  TRY(status);
  TRY(emit_storage(emitter));
  return bindings_fill(emitter);
}

/* A store knows its compiler when it was asked for the first image. */
static enum farm_status compiler_note(struct engine *engine, const struct link_images *images, struct engine_section *section) {
  section->compiler = arena_string(&engine->arena, images->compiler, strlen(images->compiler));
  FAIL_IF(!section->compiler, FARM_NO_MEMORY, "out of memory for a section");
  return FARM_OK;
}

enum farm_status link_section(struct link_engine *engine, struct model *model, const struct link_target *target,
                              const struct lock_section *pins, bool measured, struct lock *lock) {
  char class_text[DEVICE_CLASS_TEXT_MAX];
  bool cuda = target->device_class.kind == DEVICE_CUDA;
  FAIL_IF(cuda && !target->images, FARM_FAILURE, "a section of a GPU without images");
  device_class_print(&target->device_class, class_text);
  TRY(layouts_choose(model, target, pins));
  TRY(array_reserve(&engine->engine.sections, &engine->section_capacity, (size_t)engine->engine.section_count + 1));
  struct engine_section section = {.threads = target->threads, .measured = measured, .compiler = ""};
  section.device_class = arena_string(&engine->engine.arena, class_text, strlen(class_text));
  if (cuda) section.sm = target->device_class.sm;
  FAIL_IF(!section.device_class, FARM_NO_MEMORY, "out of memory for a section");
  struct emitter emitter = {.model = model,
                            .target = target,
                            .pins = pins,
                            .lock = lock,
                            .weights = &engine->weights,
                            .cuda = cuda,
                            .arena = &engine->engine.arena,
                            .plan = &section.plan};
  enum farm_status status = FARM_OK;
  if (lock) TRY_OR(lock_section_add(lock, class_text, target->threads, measured, &emitter.lock_section), free_emitter);
  TRY_OR(plan_emit(&emitter), free_emitter);
  if (cuda) TRY_OR(compiler_note(&engine->engine, target->images, &section), free_emitter);
  TRY_OR(section_check(&section, link_engine_get(engine)), free_emitter); // what a reader would refuse is not linked
  engine->engine.sections[engine->engine.section_count++] = section;
  if (lock) engine->engine.lock_digest = lock_digest(lock);
free_emitter:
  free(emitter.steps);
  free(emitter.model_types);
  map_free(&emitter.images);
  link_shapes_free(&emitter.optimal);
  link_shapes_free(&emitter.largest);
  arena_free(&emitter.scratch);
  return status;
}
