/* Runs the table of passes to a bounded fixed point. See pass.h. */
#include "pass.h"

#include "dims.h"

#include <stdlib.h>
#include <string.h>

static const struct pass table[] = {
#define X(id, name, what) {name, what, pass_##id},
    PASS_LIST(X)
#undef X
};
enum { TABLE_COUNT = sizeof table / sizeof *table };

const struct pass *pass_table(int *out_count) {
  *out_count = TABLE_COUNT;
  return table;
}

static bool listed(const char *const *names, const char *name) {
  for (; names && *names; names++)
    if (!strcmp(*names, name)) return true;
  return false;
}

static enum farm_status check_names(const struct pass_options *options) {
  for (const char *const *off = options->off; off && *off; off++) {
    bool known = false;
    for (int i = 0; i < TABLE_COUNT; i++) known |= !strcmp(*off, table[i].name);
    FAIL_IF(!known, FARM_USAGE, "there is no pass `%.60s`", *off);
  }
  return FARM_OK;
}

static bool wanted(const struct pass_options *options, const struct pass *pass) {
  if (options->only) return !strcmp(options->only, pass->name);
  return !listed(options->off, pass->name);
}

static enum farm_status pass_run(const struct pass *pass, struct model *model, const struct pass_options *options,
                                 struct pass_report *report, bool *changed) {
  struct pass_context context = {.model = model, .report = report, .pass = pass->name};
  TRY(uses_build(model, &context.uses));
  enum farm_status status = pass->run(&context);
  uses_free(&context.uses);
  dims_forget(&context);
  if (status == FARM_OK && context.changed) status = graph_infer(model);
  if (status == FARM_OK && context.changed && options->verify) status = graph_verify(model);
  if (status != FARM_OK) return status_prefix(status, "pass %s", pass->name);
  *changed |= context.changed;
  return FARM_OK;
}

enum farm_status passes_run(struct model *model, const struct pass_options *options, struct pass_report *report) {
  TRY(check_names(options));
  for (int round = 0; round < PASSES_MAX_ROUNDS; round++) {
    bool changed = false;
    for (int i = 0; i < TABLE_COUNT; i++)
      if (wanted(options, &table[i])) TRY(pass_run(&table[i], model, options, report, &changed));
    if (!changed) break;
  }
  return FARM_OK;
}

void pass_report_free(struct pass_report *report) {
  arena_free(&report->arena);
  free(report->events);
  *report = (struct pass_report){0};
}
