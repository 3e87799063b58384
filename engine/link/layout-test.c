/* Layouts: whatever nodes are moved, the graph computes the same; and what the cut decides is the best of all choices. */
#include "decide.h"
#include "link.h"

#include "../../base/random.h"
#include "../../optimizer/ir/evaluate.h"
#include "../../optimizer/passes/pass.h"
#include "../../tests/kit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const graphs[] = {
    /* a residual block with a pool, a broadcast and two outputs */
    "model ir 8\ngraph g(%x: f32[1,3,9,8]) {\n"
    "const %w: f32[8,3,3,3] = random 1\nconst %v: f32[8,8,1,1] = random 2\nconst %b: f32[8] = random 3\nconst %s: f32[8,1,1] = "
    "random 4\n"
    "%a = Conv.11(%x, %w, %b) {pads = [1, 1, 1, 1]}\n%r = Relu.14(%a)\n%c = Conv.11(%r, %v)\n%d = Add.14(%c, %r)\n%e = "
    "Mul.14(%d, %s)\n"
    "%p = MaxPool.12(%e) {kernel_shape = [2, 2], strides = [2, 2]}\n%t = Tanh.13(%p)\nreturn %t, %r\n}\n",
    /* concat of two branches, a split, a reduction, a matrix product behind it */
    "model ir 8\ngraph g(%x: f32[2,4,6,6]) {\n"
    "const %w: f32[4,4,3,3] = random 1\nconst %v: f32[4,4,1,1] = random 2\nconst %m: f32[4,5] = random 3\nconst %h: i64[2] = {4, "
    "4}\n"
    "%a = Conv.11(%x, %w) {pads = [1, 1, 1, 1]}\n%b = Conv.11(%x, %v)\n%c = Concat.13(%a, %b) {axis = 1}\n%d, %e = Split.13(%c, "
    "%h) {axis = 1}\n"
    "%f = Mul.14(%d, %e)\n%g = Conv.11(%f, %v)\n%p = GlobalAveragePool.1(%g)\n%q = Flatten.13(%p)\n%y = MatMul.13(%q, "
    "%m)\nreturn %y\n}\n",
};
enum { GRAPHS = sizeof graphs / sizeof *graphs, MOST_NODES = 24 };

static struct model *model_make(int index) {
  struct model *model;
  REQUIRE_OK(graph_parse(graphs[index], &model));
  REQUIRE_OK(graph_infer(model));
  REQUIRE_OK(passes_run(model, &(struct pass_options){.verify = true}, NULL));
  return model;
}

static int flexible_nodes(const struct model *model, int *out_indices) {
  int count = 0, index = 0;
  for (const struct node *node = model->graph->first; node; node = node->next, index++)
    if (layout_role(node) != LAYOUT_RIGID) out_indices[count++] = index;
  return count;
}

static void labels_set(uint8_t *labels, const int *flexible, int count, unsigned bits) {
  memset(labels, 0, MOST_NODES);
  for (int i = 0; i < count; i++) labels[flexible[i]] = bits >> i & 1;
}

static void outputs_of(const struct model *model, struct tensor *outputs) {
  struct tensor input = model->graph->inputs[0]->type;
  REQUIRE_OK(tensor_alloc(&input));
  for (int64_t i = 0; i < tensor_elems(&input); i++) ((float *)input.data)[i] = (float)random_normal(9, (uint64_t)i);
  REQUIRE_OK(graph_evaluate(model, &input, outputs));
  tensor_free(&input);
}

TEST(layouts_keep_what_a_graph_computes, "") {
  for (int g = 0; g < GRAPHS; g++) {
    struct model *model = model_make(g);
    struct tensor expected[2] = {0};
    int flexible[MOST_NODES], count = flexible_nodes(model, flexible);
    REQUIRE(count >= 4 && count <= 12);
    outputs_of(model, expected);
    for (unsigned bits = 0; bits < 1u << count; bits++) {
      struct model *moved = model_make(g);
      struct tensor actual[2] = {0};
      uint8_t labels[MOST_NODES];
      labels_set(labels, flexible, count, bits);
      REQUIRE_OK(layout_apply(moved, labels));
      REQUIRE_OK(graph_verify(moved));
      outputs_of(moved, actual);
      for (int o = 0; o < model->graph->output_count; o++) {
        CHECK(tensor_shape_equal(&actual[o], &expected[o]));
        for (int64_t i = 0; i < tensor_elems(&expected[o]); i++) {
          double a = dtype_load_f64(DTYPE_F32, actual[o].data, i), e = dtype_load_f64(DTYPE_F32, expected[o].data, i);
          bool same = a - e < 1e-4 && e - a < 1e-4;
          CHECK_MESSAGE(same, "graph %d, choice %u, output %d, element %d: %g, not %g", g, bits, o, (int)i, a, e);
          if (!same) break;
        }
        tensor_free(&actual[o]);
      }
      model_free(&moved);
    }
    for (int o = 0; o < model->graph->output_count; o++) tensor_free(&expected[o]);
    model_free(&model);
  }
}

/* Sum of the estimates of all nodes as the graph stands; `only`: of the rigid ones. */
static double graph_ns(struct model *model, const struct link_target *target, bool only_rigid) {
  struct link_shapes shapes;
  struct arena arena = {0};
  double sum = 0;
  REQUIRE_OK(link_shapes_infer(model, LINK_OPTIMAL, &shapes));
  for (const struct node *node = model->graph->first; node; node = node->next) {
    struct problem problem;
    struct link_choice choice;
    const char *text;
    bool rigid_map = strcmp(node->row->name, "Concat") == 0 || strcmp(node->row->name, "Split") == 0;
    if ((node_is_view(node) && !rigid_map) || (only_rigid && layout_role(node) != LAYOUT_RIGID)) continue;
    REQUIRE_OK(node_problem(node, &shapes, false, &arena, &problem, &text));
    REQUIRE_OK(link_choose(target, &problem, text, layout_of_node(node), &choice));
    sum += link_choice_ns(&choice);
  }
  arena_free(&arena);
  link_shapes_free(&shapes);
  return sum;
}

/* Made-up records: each layout of each problem gets a time of its own from the seed, layout changes cheap or dear ones. */
struct made_up {
  struct arena arena;
  const struct link_target *target;
  uint64_t seed;
};

static void entry_make(struct made_up *made, const struct problem *problem, const char *text, enum tactic_layout layout,
                       struct record_entry *out) {
  char variant[VARIANT_TEXT_MAX];
  struct variant best = catalogue_default(problem, &made->target->device_class, layout, 1);
  variant_print(&best, variant);
  struct digest digest = digest_of_text(text);
  uint64_t number = random_u64(made->seed + (uint64_t)layout * 77 + digest.bytes[0] + 256u * digest.bytes[1], 5);
  double ns = problem->kind == PROBLEM_TRANSPOSE ? (double)(number % 300) : 50 + (double)(number % 1000);
  *out = (struct record_entry){.variant = arena_string(&made->arena, variant, strlen(variant)),
                               .source_digest = tactic_source_digest(best.tactic),
                               .message = "",
                               .rank = RECORD_RANK_NONE,
                               .times = {.n = 1, .median = ns + 1, .ci_low = ns + 1, .ci_high = ns + 1}};
}

static const struct record *record_make(void *context, const char *text) {
  struct made_up *made = context;
  struct problem problem;
  struct record *record = arena_alloc(&made->arena, sizeof *record);
  REQUIRE_OK(problem_parse(text, &made->arena, &problem));
  if (problem.kind == PROBLEM_OP) return NULL;
  bool spatial = problem.kind == PROBLEM_CONV2D || problem.kind == PROBLEM_POOL2D;
  record->entry_count = spatial ? 2 : 1;
  record->entries = arena_alloc_array(&made->arena, 2, sizeof *record->entries);
  entry_make(made, &problem, text, spatial ? LAYOUT_NCHW : LAYOUT_ANY, &record->entries[0]);
  if (spatial) entry_make(made, &problem, text, LAYOUT_NHWC, &record->entries[1]);
  return record;
}

/* Against every choice there is, each rewritten and added up: the cut must be neither above nor below the least. */
TEST(layout_decision_is_the_best_of_all_choices, "timeout:120") {
  struct link_target target = {.threads = 1};
  REQUIRE_OK(device_class_parse("cpu vendor:amd family:25 model:17 isa:avx2 l1d:32k l2:1m l3:32m mem:24g", &target.device_class));
  for (int round = 0; round < 12 * GRAPHS; round++) {
    int g = round % GRAPHS;
    struct made_up made = {.target = &target, .seed = (uint64_t)round};
    target.facts = (struct link_facts){round < GRAPHS ? NULL : record_make, &made}; // the first of each by the cost model
    struct model *model = model_make(g);
    struct link_shapes shapes;
    int flexible[MOST_NODES], count = flexible_nodes(model, flexible);
    uint8_t labels[MOST_NODES], tried[MOST_NODES];
    double decided, best = 1e300, rigid = graph_ns(model, &target, true), of_decision = 0;
    REQUIRE_OK(link_shapes_infer(model, LINK_OPTIMAL, &shapes));
    REQUIRE_OK(link_decide_layouts(model, &shapes, &target, labels, &decided));
    for (unsigned bits = 0; bits < 1u << count; bits++) {
      struct model *moved = model_make(g);
      labels_set(tried, flexible, count, bits);
      REQUIRE_OK(layout_apply(moved, tried));
      double ns = graph_ns(moved, &target, false) - rigid;
      if (ns < best) best = ns;
      if (memcmp(tried, labels, MOST_NODES) == 0) of_decision = ns;
      model_free(&moved);
    }
    CHECK_MESSAGE(decided < best * 1.001 + 1 && decided > best * 0.999 - 1, "graph %d: decided %.1f ns, best %.1f ns", g, decided,
                  best);
    CHECK_MESSAGE(of_decision < best * 1.001 + 1, "graph %d: the labels cost %.1f ns, best %.1f ns", g, of_decision, best);
    link_shapes_free(&shapes);
    model_free(&model);
    arena_free(&made.arena);
  }
}

/* ---- names of the model's own that look like what the rewriting makes ---- */

enum { LONG_NAME = 300 };

static struct model *misleading_model(void) {
  char text[4096], name[LONG_NAME + 1];
  memset(name, 'n', LONG_NAME);
  name[LONG_NAME] = 0;
  snprintf(text, sizeof text,
           "model ir 8\ngraph g(%%x: f32[1,3,12,10]) {\nconst %%w: f32[8,3,3,3] = random 1\nconst %%v: f32[8,8,3,3] = random 2\n"
           "%%a = Conv.11(%%x, %%w) name \"layout of a\"\n%%\"a@nhwc\" = Conv.11(%%a, %%v) {pads = [1, 1, 1, 1]}\n"
           "%%\"a@nhwc~2\" = MaxPool.12(%%\"a@nhwc\") {kernel_shape = [2, 2]} name \"layout of a@nhwc\"\n"
           "%%\"t@nhwc\" = Transpose.13(%%\"a@nhwc~2\") {perm = [1, 0, 3, 2]} name \"layout of t@nhwc\"\n"
           "%%u = Transpose.13(%%\"t@nhwc\") {perm = [1, 0, 2, 3]}\n"
           "%%\"a@nhwc@nhwc\" = Conv.11(%%u, %%v) {pads = [1, 1, 1, 1]}\n%%%s = Conv.11(%%\"a@nhwc@nhwc\", %%v)\n"
           "return %%%s, %%\"t@nhwc\"\n}\n",
           name, name);
  struct model *model;
  REQUIRE_OK(graph_parse(text, &model));
  REQUIRE_OK(graph_infer(model));
  static const char *const off[] = {"absorb-transposes", "merge-views", NULL}; // the Transpose stays
  REQUIRE_OK(passes_run(model, &(struct pass_options){.verify = true, .off = off}, NULL));
  return model;
}

TEST(layout_pins_follow_what_was_moved_whatever_the_names, "") {
  struct model *probe = misleading_model();
  int flexible[MOST_NODES], count = flexible_nodes(probe, flexible);
  model_free(&probe);
  REQUIRE(count == 5);
  for (unsigned bits = 0; bits < 1u << count; bits++) {
    struct model *model = misleading_model();
    const struct node *nodes[MOST_NODES];
    uint8_t labels[MOST_NODES];
    int before = 0, moved = 0, pinned = 0;
    for (const struct node *node = model->graph->first; node; node = node->next) nodes[before++] = node;
    labels_set(labels, flexible, count, bits);
    REQUIRE_OK(layout_apply(model, labels));
    for (int i = 0; i < before; i++) {
      bool nhwc = strcmp(layout_pinned(nodes[i]), "nhwc") == 0;
      CHECK_MESSAGE(nhwc == (labels[i] == 1), "choice %u: %s is pinned %s", bits, nodes[i]->outputs[0]->name,
                    layout_pinned(nodes[i]));
      moved += labels[i];
    }
    for (const struct node *node = model->graph->first; node; node = node->next)
      pinned += strcmp(layout_pinned(node), "nhwc") == 0;
    CHECK_MESSAGE(pinned == moved, "choice %u: %d nodes moved, %d pinned so", bits, moved, pinned);
    model_free(&model);
  }
}

/* Links the model for `target`, by its facts or by the pins; the engine's bytes without the lock's digest, and the lock as text.
 */
static void linked(const struct link_target *target, const struct lock *from, struct bytes_writer *out, struct strbuf *out_lock) {
  struct digest digest = digest_of_text("model");
  struct model *model = misleading_model();
  struct link_engine *engine;
  struct lock *lock;
  char class_text[DEVICE_CLASS_TEXT_MAX];
  device_class_print(&target->device_class, class_text);
  const struct lock_section *pins = from ? lock_section_find(from, class_text, 1) : NULL;
  REQUIRE(!from || pins);
  REQUIRE_OK(lock_create(&digest, "", &lock));
  REQUIRE_OK(link_engine_create("model", &digest, "", &engine));
  REQUIRE_OK(link_section(engine, model, target, pins, true, lock));
  REQUIRE_OK(engine_encode(link_engine_get(engine), out));
  REQUIRE_OK(lock_print(lock, out_lock));
  lock_free(&lock);
  link_engine_free(&engine);
  model_free(&model);
}

/* Whatever was decided for such a model, its lock gives the same engine again. */
TEST(layout_pins_give_the_same_engine_whatever_the_names, "") {
  struct link_target target = {.threads = 1}, blind;
  int moved = 0;
  REQUIRE_OK(device_class_parse("cpu vendor:amd family:25 model:17 isa:avx2 l1d:32k l2:1m l3:32m mem:24g", &target.device_class));
  blind = target;
  for (uint64_t seed = 0; seed < 24; seed++) {
    struct made_up made = {.target = &target, .seed = seed};
    struct bytes_writer first = {0}, again = {0};
    struct strbuf lock_text = {0}, lock_again = {0};
    struct lock *lock;
    target.facts = (struct link_facts){record_make, &made};
    linked(&target, NULL, &first, &lock_text);
    moved += strstr(lock_text.data, "\tnhwc\t") != NULL;
    REQUIRE_OK(lock_parse(lock_text.data, lock_text.length, &lock));
    linked(&blind, lock, &again, &lock_again);
    CHECK_TEXT(lock_again.data, lock_text.data);
    CHECK(first.length == again.length && memcmp(first.data, again.data, first.length) == 0);
    lock_free(&lock);
    strbuf_free(&lock_text);
    strbuf_free(&lock_again);
    bytes_writer_free(&first);
    bytes_writer_free(&again);
    arena_free(&made.arena);
  }
  CHECK_MESSAGE(moved >= 6, "only %d of 24 decisions moved anything", moved);
}
