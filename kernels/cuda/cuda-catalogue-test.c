/* The catalogue for classes of GPUs, the texts embedded in this build, and estimates: nothing here needs a device or a compiler.
 */
#include "../../tests/kit/test.h"
#include "cuda-cost.h"
#include "cuda-tactic.h"

#include <stdio.h>
#include <string.h>

enum { MOST = 4096 };

static const char *const classes[] = {"cuda sm:75 product:teslat4 sms:40 clock:1590 memclock:5001 mem:15g",
                                      "cuda sm:90 product:h200 sms:132 clock:1980 memclock:3201 mem:141g", "cuda sm:90",
                                      "cuda sm:120"};
static const char *const problems[] = {
    "softmax outer1536 len128 f32",
    "softmax log outer3 len10 inner49 f16",
    "norm layer rows128 len768 f16",
    "transpose d3136 d64 perm10 f32",
    "transpose d8 d8 d64 perm102 i64",
    "map d128 d768 in:f32[01] in:f32[.1] out:f32 {%2=add %0 %1;%3=gelu %2;out %3}",
    "map d64 r49 in:f32[01] out:f32 {out mean %0}",
    "map r64 d49 in:bf16[01] out:f32 {out max %0}",
    "gemm m128 n768 k768 f16 acc:f32 w:const +bias",
};
/* What no CUDA tactic solves: a step of the host. */
static const char *const for_the_host[] = {"softmax outer2 len3 f64", "map d3 in:f64[0] out:f64 {%1=neg %0;out %1}",
                                           "op Det-11 in:f32[2,2] out:f32[]"};

TEST(gpu_classes_get_cuda_tactics_alone, "") {
  static struct variant variants[MOST];
  for (size_t c = 0; c < sizeof classes / sizeof *classes; c++)
    for (size_t p = 0; p < sizeof problems / sizeof *problems; p++) {
      struct arena arena = {0};
      struct device_class device_class;
      struct problem problem;
      REQUIRE_OK(device_class_parse(classes[c], &device_class));
      REQUIRE_OK(problem_parse(problems[p], &arena, &problem));
      int count = catalogue_variants(&problem, &device_class, LAYOUT_ANY, variants, MOST);
      CHECK_MESSAGE(count > 0 && count <= MOST, "%s on %s: %d variants", problems[p], classes[c], count);
      for (int i = 0; i < count && i < MOST; i++) {
        char text[VARIANT_TEXT_MAX];
        struct variant parsed;
        const struct tactic *tactic = variants[i].tactic;
        variant_print(&variants[i], text);
        CHECK_MESSAGE(tactic->device == DEVICE_CUDA && !tactic->run && cuda_tactic_of(tactic), "%s", text);
        CHECK_MESSAGE(cuda_tactic_fits(tactic, device_class.sm) && tactic_fits(tactic, &device_class), "%s", text);
        REQUIRE_OK(variant_parse(text, &parsed));
        CHECK_MESSAGE(variant_legal(&problem, &parsed), "%s", text);
        double cost = variant_cost(&problem, &parsed, &device_class, 1);
        CHECK_MESSAGE(cost > 1000 && cost < 1e9, "%s: %s costs %g ns", problems[p], text, cost);
      }
      struct variant best = catalogue_default(&problem, &device_class, LAYOUT_ANY, 1);
      CHECK(best.tactic && best.tactic->device == DEVICE_CUDA);
      arena_free(&arena);
    }
}

TEST(cpu_classes_get_no_cuda_tactics, "") {
  static struct variant variants[MOST];
  struct device_class usual = {.kind = DEVICE_CPU, .isa = ISA_AVX512, .sm = 90};
  for (size_t p = 0; p < sizeof problems / sizeof *problems; p++) {
    struct arena arena = {0};
    struct problem problem;
    REQUIRE_OK(problem_parse(problems[p], &arena, &problem));
    int count = catalogue_variants(&problem, &usual, LAYOUT_ANY, variants, MOST);
    CHECK(count > 0);
    for (int i = 0; i < count && i < MOST; i++) {
      CHECK(variants[i].tactic->device == DEVICE_CPU && variants[i].tactic->run);
      CHECK(!cuda_tactic_of(variants[i].tactic) && !cuda_tactic_fits(variants[i].tactic, 90));
    }
    arena_free(&arena);
  }
}

TEST(what_no_cuda_tactic_solves_has_no_default, "") {
  struct device_class device_class;
  REQUIRE_OK(device_class_parse(classes[1], &device_class));
  for (size_t p = 0; p < sizeof for_the_host / sizeof *for_the_host; p++) {
    struct arena arena = {0};
    struct problem problem;
    REQUIRE_OK(problem_parse(for_the_host[p], &arena, &problem));
    CHECK_MESSAGE(catalogue_variants(&problem, &device_class, LAYOUT_ANY, NULL, 0) == 0, "%s", for_the_host[p]);
    CHECK_MESSAGE(!catalogue_default(&problem, &device_class, LAYOUT_ANY, 1).tactic, "%s", for_the_host[p]);
    arena_free(&arena);
  }
}

TEST(architectures_get_what_was_made_for_them, "") {
  const struct cuda_tactic from_80 = {.least_sm = 80}, only_90 = {.least_sm = 90, .only_sm = 90};
  const struct cuda_tactic of_100 = {.least_sm = 100, .only_sm = 100};
  struct tactic tactic = {.device = DEVICE_CUDA, .detail = &from_80};
  CHECK(!cuda_tactic_fits(&tactic, 75) && cuda_tactic_fits(&tactic, 80) && cuda_tactic_fits(&tactic, 120));
  tactic.detail = &only_90;
  CHECK(!cuda_tactic_fits(&tactic, 89) && cuda_tactic_fits(&tactic, 90) && !cuda_tactic_fits(&tactic, 100));
  tactic.detail = &of_100;
  CHECK(cuda_tactic_fits(&tactic, 100) && cuda_tactic_fits(&tactic, 103) && !cuda_tactic_fits(&tactic, 120));
}

TEST(kernel_texts_are_in_the_build, "") {
  const char *text, *files[] = {"dialect.cuh", "rows.cuh", "softmax-args.h", "softmax-rows.cu"};
  size_t length;
  char path[256];
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    REQUIRE_OK(cuda_text(files[i], &text, &length));
    CHECK_MESSAGE(length == strlen(text) && length > 100 && text[0] == '/', "%s has %zu bytes", files[i], length);
    snprintf(path, sizeof path, "kernels/cuda/%s%s", i < 2 ? "" : "softmax/", files[i]);
    FILE *file = fopen(path, "r"); // where the test runs in the checkout: the same bytes
    for (size_t at = 0; file && at < length; at++)
      if (fgetc(file) != (unsigned char)text[at]) {
        CHECK_MESSAGE(false, "%s differs at %zu", files[i], at);
        break;
      }
    CHECK(!file || fgetc(file) == EOF);
    if (file) fclose(file);
  }
  CHECK(cuda_text("softmax/softmax-rows.cu", &text, &length) == FARM_NOT_FOUND);
  struct strbuf out = {0};
  cuda_source_begin(&out);
  CHECK(strstr(strbuf_text(&out), "FARM_KERNEL"));
  CHECK(cuda_source_file(&out, "nothing.cu") == FARM_NOT_FOUND);
  strbuf_free(&out);
}

TEST(an_artefacts_key_is_of_text_architecture_and_compiler, "") {
  struct digest key, other;
  REQUIRE_OK(cuda_artefact_key("text", 90, "nvrtc 13.0", &key));
  REQUIRE_OK(cuda_artefact_key("text", 90, "nvrtc 13.0", &other));
  CHECK(digest_equal(&key, &other));
  REQUIRE_OK(cuda_artefact_key("texu", 90, "nvrtc 13.0", &other));
  CHECK(!digest_equal(&key, &other));
  REQUIRE_OK(cuda_artefact_key("text", 89, "nvrtc 13.0", &other));
  CHECK(!digest_equal(&key, &other));
  REQUIRE_OK(cuda_artefact_key("text", 90, "nvrtc 13.1", &other));
  CHECK(!digest_equal(&key, &other));
}

static double cheapest(const char *text, const struct device_class *device_class) {
  struct arena arena = {0};
  struct problem problem;
  REQUIRE_OK(problem_parse(text, &arena, &problem));
  struct variant best = catalogue_default(&problem, device_class, LAYOUT_ANY, 1);
  double cost = best.tactic ? variant_cost(&problem, &best, device_class, 1) : 0;
  arena_free(&arena);
  return cost;
}

/* Within a factor of two of what bandwidth allows for large problems, and never cheaper for more work. */
TEST(estimates_follow_the_class, "") {
  static const char *const grow[] = {"softmax outer%d len512 f32",
                                     "norm layer rows%d len768 f16",
                                     "transpose d%d d64 perm10 f32",
                                     "map d%d d768 in:f32[01] in:f32[.1] out:f32 {%%2=add %%0 %%1;out %%2}",
                                     "map d%d r49 in:f32[01] out:f32 {out mean %%0}",
                                     "map r64 d%d in:f32[01] out:f32 {out sum %%0}"};
  struct device_class h200, t4;
  REQUIRE_OK(device_class_parse(classes[1], &h200));
  REQUIRE_OK(device_class_parse(classes[0], &t4));
  CHECK(cuda_bandwidth(&h200) > 2000 && cuda_bandwidth(&h200) < 4900);
  CHECK(cuda_bandwidth(&t4) > 200 && cuda_bandwidth(&t4) < 420);
  for (size_t i = 0; i < sizeof grow / sizeof *grow; i++) {
    double last = 0;
    for (int size = 16; size <= 1 << 20; size *= 4) {
      char text[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
      snprintf(text, sizeof text, grow[i], size);
#pragma GCC diagnostic pop
      double cost = cheapest(text, &h200);
      CHECK_MESSAGE(cost >= last, "%s costs %g ns, less than a smaller one with %g", text, cost, last);
      CHECK_MESSAGE(cheapest(text, &t4) >= cost, "%s is cheaper on the smaller GPU", text);
      last = cost;
    }
  }
  double bound = 3.0 * (1 << 20) * 4.0 * 768 / 4800; // two operands in, one out, is what a flat map moves
  double cost = cheapest("map d1048576 d768 in:f32[01] in:f32[01] out:f32 {%2=add %0 %1;out %2}", &h200);
  CHECK_MESSAGE(cost > bound && cost < 2 * bound, "%g ns, bandwidth allows %g", cost, bound);
}
