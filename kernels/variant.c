/* Variants as text: `gemm_f32__mk_6x16__avx2{kc=256,pa=0}`, every parameter, in the tactic's order. The text is part of record
 * keys and of engines, so it comes back from outside: the parser believes nothing, and what it accepts prints to the same bytes.
 */
#include "tactic.h"

#include <stdio.h>
#include <string.h>

void variant_print(const struct variant *variant, char out[VARIANT_TEXT_MAX]) {
  int length = snprintf(out, VARIANT_TEXT_MAX, "%s", variant->tactic->id);
  int count = tactic_param_count(variant->tactic);
  for (int i = 0; i < count && length < VARIANT_TEXT_MAX; i++)
    length += snprintf(out + length, (size_t)(VARIANT_TEXT_MAX - length), "%s%s=%d%s", i == 0 ? "{" : ",",
                       variant->tactic->params[i].name, variant->params[i], i == count - 1 ? "}" : "");
}

/* Matches `word` at *text and steps over it. */
static bool skip_word(const char **text, const char *word) {
  size_t length = strlen(word);
  if (strncmp(*text, word, length) != 0) return false;
  *text += length;
  return true;
}

/* The value among the parameter's own, longest text first does not matter: a value's text ends at ',' or '}'. */
static bool parse_value(const char **text, const struct tactic_param *param, int16_t *out_value) {
  for (int i = 0; i < param->value_count; i++) {
    char digits[8];
    size_t length = (size_t)snprintf(digits, sizeof digits, "%d", param->values[i]);
    if (strncmp(*text, digits, length) != 0 || ((*text)[length] != ',' && (*text)[length] != '}')) continue;
    *text += length;
    *out_value = param->values[i];
    return true;
  }
  return false;
}

static enum farm_status parse_params(const char *at, struct variant *variant) {
  const struct tactic *tactic = variant->tactic;
  int count = tactic_param_count(tactic);
  for (int i = 0; i < count; i++) {
    const struct tactic_param *param = &tactic->params[i];
    bool ok = skip_word(&at, i == 0 ? "{" : ",") && skip_word(&at, param->name) && skip_word(&at, "=");
    FAIL_IF(!ok, FARM_INVALID, "variant of %s: parameter '%s' is missing or out of order", tactic->id, param->name);
    FAIL_IF(!parse_value(&at, param, &variant->params[i]), FARM_INVALID, "variant of %s: '%s' has no such value", tactic->id,
            param->name);
  }
  FAIL_IF(count > 0 && !skip_word(&at, "}"), FARM_INVALID, "variant of %s: no closing brace", tactic->id);
  FAIL_IF(*at != 0, FARM_INVALID, "variant of %s: something follows the parameters", tactic->id);
  return FARM_OK;
}

enum farm_status variant_parse(const char *text, struct variant *out) {
  size_t length = strcspn(text, "{");
  char id[VARIANT_TEXT_MAX];
  FAIL_IF(length == 0 || length >= sizeof id, FARM_INVALID, "variant text without a tactic's id");
  memcpy(id, text, length);
  id[length] = 0;
  struct variant variant = {.tactic = catalogue_find(id)};
  FAIL_IF(!variant.tactic, FARM_NOT_FOUND, "this build has no tactic '%.80s'", id);
  TRY(parse_params(text + length, &variant));
  *out = variant;
  return FARM_OK;
}
