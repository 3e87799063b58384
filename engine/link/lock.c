/* Lock files: building and printing. See lock.h; lock-parse.c reads them. */
#include "lock.h"

#include "../../base/array.h"

#include <stdlib.h>
#include <string.h>

enum farm_status lock_create(const struct digest *model, const char *options, struct lock **out_lock) {
  struct lock *lock = calloc(1, sizeof *lock);
  FAIL_IF(!lock, FARM_NO_MEMORY, "out of memory for a lock");
  lock->model = *model;
  lock->options = arena_string(&lock->arena, options, strlen(options));
  if (!lock->options) {
    lock_free(&lock);
    return FARM_NO_MEMORY;
  }
  *out_lock = lock;
  return FARM_OK;
}

void lock_free(struct lock **lock) {
  if (!*lock) return;
  for (size_t i = 0; i < (*lock)->section_count; i++) {
    free((*lock)->sections[i].pins);
    map_free(&(*lock)->sections[i].by_node);
  }
  free((*lock)->sections);
  arena_free(&(*lock)->arena);
  free(*lock);
  *lock = NULL;
}

enum farm_status lock_section_add(struct lock *lock, const char *device_class, int threads, bool measured,
                                  struct lock_section **out_section) {
  TRY(array_reserve(&lock->sections, &lock->section_capacity, lock->section_count + 1));
  const char *copy = arena_string(&lock->arena, device_class, strlen(device_class));
  FAIL_IF(!copy, FARM_NO_MEMORY, "out of memory for a lock");
  struct lock_section *section = &lock->sections[lock->section_count++];
  *section = (struct lock_section){.device_class = copy, .threads = threads, .measured = measured};
  *out_section = section;
  return FARM_OK;
}

enum farm_status lock_library_add(struct lock *lock, struct lock_section *section, const char *library, const char *fallback) {
  struct lock_pin *pin = &section->pins[section->pin_count - 1];
  pin->library = arena_string(&lock->arena, library, strlen(library));
  pin->fallback = arena_string(&lock->arena, fallback, strlen(fallback));
  FAIL_IF(!pin->library || !pin->fallback, FARM_NO_MEMORY, "out of memory for a lock");
  return FARM_OK;
}

enum farm_status lock_pin_add(struct lock *lock, struct lock_section *section, const struct lock_pin *pin) {
  TRY(array_reserve(&section->pins, &section->pin_capacity, section->pin_count + 1));
  struct lock_pin copy = *pin;
  copy.node = arena_string(&lock->arena, pin->node, strlen(pin->node));
  copy.layout = arena_string(&lock->arena, pin->layout, strlen(pin->layout));
  copy.variant = arena_string(&lock->arena, pin->variant, strlen(pin->variant));
  FAIL_IF(!copy.node || !copy.layout || !copy.variant, FARM_NO_MEMORY, "out of memory for a lock");
  copy.library = copy.fallback = NULL;
  section->pins[section->pin_count++] = copy;
  return pin->library ? lock_library_add(lock, section, pin->library, pin->fallback) : FARM_OK;
}

enum farm_status lock_section_index(struct lock_section *section) {
  for (size_t i = 0; i < section->pin_count; i++) {
    FAIL_IF(map_get(&section->by_node, section->pins[i].node), FARM_INVALID, "lock: %s is pinned twice", section->pins[i].node);
    TRY(map_set(&section->by_node, section->pins[i].node, &section->pins[i]));
  }
  return FARM_OK;
}

const struct lock_section *lock_section_find(const struct lock *lock, const char *device_class, int threads) {
  for (size_t i = 0; i < lock->section_count; i++)
    if (lock->sections[i].threads == threads && strcmp(lock->sections[i].device_class, device_class) == 0)
      return &lock->sections[i];
  return NULL;
}

const struct lock_pin *lock_pin_find(const struct lock_section *section, const char *node) {
  return map_get(&section->by_node, node);
}

static void field_add(struct strbuf *out, const char *text) {
  strbuf_add(out, "\t");
  for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
    if (*c < 0x20 || *c == 0x7f || *c == '%')
      strbuf_printf(out, "%%%02X", *c);
    else
      strbuf_add_bytes(out, c, 1);
  }
}

static void pin_print(const struct lock_pin *pin, struct strbuf *out) {
  strbuf_add(out, "pin");
  field_add(out, pin->node);
  field_add(out, pin->layout);
  field_add(out, pin->variant);
  strbuf_printf(out, "\t%a\t%a\t%u\t%u\t%a\n", pin->median_ns, pin->ci95_ns, pin->candidates, pin->ties, (double)pin->error);
  if (!pin->library) return;
  strbuf_add(out, "library");
  field_add(out, pin->library);
  field_add(out, pin->fallback);
  strbuf_add(out, "\n");
}

/* The least that holds what is pinned. */
static int version_needed(const struct lock *lock) {
  for (size_t i = 0; i < lock->section_count; i++)
    for (size_t p = 0; p < lock->sections[i].pin_count; p++)
      if (lock->sections[i].pins[p].library) return LOCK_VERSION;
  return 1;
}

static void body_print(const struct lock *lock, struct strbuf *out) {
  char hex[DIGEST_HEX_BYTES];
  digest_to_hex(&lock->model, hex);
  strbuf_printf(out, "tunefarm-lock\t%d\nmodel\t%s\noptions", version_needed(lock), hex);
  field_add(out, lock->options);
  strbuf_add(out, "\n");
  for (size_t i = 0; i < lock->section_count; i++) {
    const struct lock_section *section = &lock->sections[i];
    strbuf_add(out, "section");
    field_add(out, section->device_class);
    strbuf_printf(out, "\t%d\t%s\n", section->threads, section->measured ? "measured" : "estimated");
    for (size_t p = 0; p < section->pin_count; p++) pin_print(&section->pins[p], out);
  }
}

struct digest lock_digest(const struct lock *lock) {
  struct strbuf body = {0};
  body_print(lock, &body);
  struct digest digest = digest_of(strbuf_text(&body), body.length);
  strbuf_free(&body);
  return digest;
}

enum farm_status lock_print(const struct lock *lock, struct strbuf *out) {
  char hex[DIGEST_HEX_BYTES];
  size_t begin = out->length;
  body_print(lock, out);
  FAIL_IF(out->failed, FARM_NO_MEMORY, "out of memory for a lock file");
  struct digest digest = digest_of(out->data + begin, out->length - begin);
  digest_to_hex(&digest, hex);
  strbuf_printf(out, "digest\t%s\n", hex);
  FAIL_IF(out->failed, FARM_NO_MEMORY, "out of memory for a lock file");
  return FARM_OK;
}
