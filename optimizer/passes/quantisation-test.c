/* canonicalise-quantisation gives the bits that the operators give: ties, both ends of each range, infinities, NaN. */
#include "../ir/evaluate.h"
#include "../ir/infer.h"
#include "../ir/text.h"
#include "pass.h"

#include "../../base/strbuf.h"
#include "../../tests/kit/test.h"

#include <math.h>
#include <string.h>

enum { COUNT = 4096 };

static void evaluated(const char *text, const char *only, const struct tensor *x, int nodes, struct tensor *out) {
  struct model *model = NULL;
  int count = 0;
  REQUIRE_OK(graph_parse(text, &model));
  REQUIRE_OK(graph_infer(model));
  if (only) REQUIRE_OK(passes_run(model, &(struct pass_options){.only = only, .verify = true}, NULL));
  for (const struct node *node = model->graph->first; node; node = node->next) count++;
  CHECK_MESSAGE(count == nodes, "%d nodes, not %d", count, nodes);
  REQUIRE_OK(graph_evaluate(model, x, out));
  model_free(&model);
}

static void check_bits(const char *domain, const char *type, const char *zero, const char *scale) {
  struct tensor x = {.dtype = DTYPE_F32, .rank = 1, .dims = {COUNT}}, expected = {0}, got = {0};
  struct strbuf text = {0};
  strbuf_printf(&text,
                "model ir 8\ngraph g(%%x: f32[%d]) {\nconst %%s: f32[] = {%s}\nconst %%z: %s[] = {%s}\n"
                "%%q = %sQuantizeLinear.%d(%%x, %%s, %%z)\n%%y = %sDequantizeLinear.%d(%%q, %%s, %%z)\nreturn %%y\n}\n",
                COUNT, scale, type, zero, domain, *domain ? 1 : 21, domain, *domain ? 1 : 21);
  REQUIRE_OK(tensor_alloc(&x));
  float *values = x.data;
  for (int i = 0; i < COUNT; i++) values[i] = (float)(i - COUNT / 2) * 0.0625f * (i % 3 ? 1 : 40);
  values[0] = INFINITY, values[1] = -INFINITY, values[2] = 3e38f, values[3] = -3e38f, values[4] = NAN;
  evaluated(strbuf_text(&text), NULL, &x, 2, &expected);
  evaluated(strbuf_text(&text), "canonicalise-quantisation", &x, 7, &got); // the first is left for eliminate-dead
  const float *a = expected.data, *b = got.data;
  for (int i = 0; i < COUNT; i++)
    CHECK_MESSAGE(a[i] == b[i] || (isnan(a[i]) && isnan(b[i])), "%s, zero %s: %g becomes %g, not %g", type, zero,
                  (double)values[i], (double)b[i], (double)a[i]);
  tensor_free(&x), tensor_free(&expected), tensor_free(&got);
  strbuf_free(&text);
}

TEST(quantisation_as_floats_gives_the_same_bits, "") {
  static const struct {
    const char *domain, *type, *zero, *scale;
  } cases[] = {{"", "u8", "128", "0.125"},  {"", "u8", "0", "0.3"},
               {"", "i8", "-128", "0.017"}, {"", "i8", "3", "0.125"},
               {"", "i8", "0", "inf"},      {"", "i4", "0", "0.5"},
               {"", "u4", "15", "0.25"},    {"", "u16", "32768", "0.01"},
               {"", "i16", "-5", "0.0625"}, {"com.microsoft::", "u16", "777", "0.003"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    check_bits(cases[i].domain, cases[i].type, cases[i].zero, cases[i].scale);
}
