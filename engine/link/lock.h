/* The lock file: the decisions of a build, for people to read and for another build to repeat. docs/formats/lock.md is normative.
 *
 * With the same model, options, tunefarm build and lock file, linking gives the same bytes: everything in an engine that came
 * from measurement (variant, layout, and the figures that `inspect` shows) is in the lock.
 */
#ifndef ENGINE_LINK_LOCK_H
#define ENGINE_LINK_LOCK_H

#include "../../base/arena.h"
#include "../../base/digest.h"
#include "../../base/map.h"
#include "../../base/status.h"
#include "../../base/strbuf.h"

#include <stdbool.h>

enum { LOCK_VERSION = 2 }; // the latest; what has no pin of a library is written in version 1

struct lock_pin {
  const char *node;    // name of the node's first output
  const char *layout;  // "nchw", "nhwc" or "any"
  const char *variant; // variant text
  double median_ns, ci95_ns;
  uint32_t candidates, ties;
  float error;
  const char *library;  // of a library's variant: source digest with the version that was measured; NULL: an own variant
  const char *fallback; // and the own variant for where that version is not
};

struct lock_section {
  const char *device_class;
  int threads;
  bool measured;
  struct lock_pin *pins; // in the plan's order
  size_t pin_count, pin_capacity;
  struct map by_node; // node -> struct lock_pin *, filled by lock_parse and lock_section_index
};

struct lock {
  struct arena arena; // all texts
  struct digest model;
  const char *options;
  struct lock_section *sections;
  size_t section_count, section_capacity;
};

enum farm_status lock_create(const struct digest *model, const char *options, struct lock **out_lock);
void lock_free(struct lock **lock);
enum farm_status lock_section_add(struct lock *lock, const char *device_class, int threads, bool measured,
                                  struct lock_section **out_section);
enum farm_status lock_pin_add(struct lock *lock, struct lock_section *section, const struct lock_pin *pin); // texts are copied
enum farm_status lock_library_add(struct lock *lock, struct lock_section *section, const char *library,
                                  const char *fallback); // of the section's last pin
enum farm_status lock_section_index(struct lock_section *section); // fills by_node; FARM_INVALID on a node pinned twice
const struct lock_section *lock_section_find(const struct lock *lock, const char *device_class, int threads);
const struct lock_pin *lock_pin_find(const struct lock_section *section, const char *node);

enum farm_status lock_print(const struct lock *lock, struct strbuf *out); // ends with its own digest
/* FARM_INVALID: malformed, FARM_MISMATCH: another version, FARM_VERIFY_FAILED: edited (the digest does not match). */
enum farm_status lock_parse(const char *text, size_t length, struct lock **out_lock);
struct digest lock_digest(const struct lock *lock); // of the printed form without its last line

#endif
