/* Records: what was measured, as facts. Normative: docs/formats/record.md.
 *
 * Two kinds. A *screen* record has one entry: one variant of one problem on one device class. A *final* record has an entry for every
 * variant that stood for choice, screened or in the final, and which of them were timed interleaved in it.
 * A failed variant is a record too.
 *
 * Keys are canonical texts; the store is indexed by their digests:
 *   screen|1|<problem>|<variant>|<source digest>|<device class>|t<threads>|<policy>
 *   final|1|<problem>|<device class>|t<threads>|<policy>
 * The policy text carries everything about how was measured, effort included: `cold/1 effort2`. Driver and library versions are in the
 * value; a library's version is in the key of tactics that use it, through their source digest.
 */
#ifndef PROBLEM_RECORD_H
#define PROBLEM_RECORD_H

#include "../base/arena.h"
#include "../base/bytes.h"
#include "../base/digest.h"
#include "../base/status.h"

enum record_kind { RECORD_SCREEN = 1, RECORD_FINAL = 2 };

struct record_times { // nanoseconds of one run; n = 0: not timed
  uint32_t n;
  double min, q1, median, q3, max, mean;
  double ci_low, ci_high; // 95 % interval of the median
};

struct record_entry {
  const char *variant;
  const char *source_digest;    // 64 hex digits
  enum farm_status status;      // OK, or why it is out (TACTIC_*)
  const char *message;          // of a failure; "" otherwise
  double error;                 // largest error against the reference, as a share of its tolerance
  uint64_t workspace_bytes;
  bool finalist;                // timed interleaved in the final (times are those)
  bool is_default;              // least estimated cost when it was submitted
  uint32_t rank;                // final: 0 = fastest group; equal ranks are ties; 0xffffffff: not a finalist
  struct record_times times;
};

struct record {
  enum record_kind kind;
  const char *problem, *device_class, *policy;
  uint32_t threads;
  const char *device;  // which one: "host-digest/cores 0" or a GPU's UUID
  const char *build;   // tunefarm version and catalogue digest
  const char *clocks;  // what was known of clocks and noise: "mhz 3850-4100 foreign 0.7%"
  uint64_t unix_s;
  double device_s;     // device time it cost
  uint32_t entry_count;
  struct record_entry *entries; // final: sorted by variant text
};

enum { RECORD_VERSION = 1, RECORD_ENTRIES_MOST = 4096, RECORD_PROBLEM_MOST = 4096 };
#define RECORD_RANK_NONE 0xffffffffu

/* Canonical bytes (envelope with key and checksum, appended to `out`) and back; the decoder refuses anything it would not write
 * itself. A decoded record lives in `arena`. FARM_INVALID: malformed; FARM_MISMATCH: of a later version or another content. */
enum farm_status record_encode(const struct record *record, struct bytes_writer *out);
enum farm_status record_decode(const void *data, size_t length, struct arena *arena, struct record *out);
const char *record_key(const struct record *record, struct arena *arena); // NULL: out of memory
const char *record_screen_key(const char *problem, const char *variant, const char *source_digest, const char *device_class,
                              uint32_t threads, const char *policy, struct arena *arena);
const char *record_final_key(const char *problem, const char *device_class, uint32_t threads, const char *policy, struct arena *arena);

/* The fixed rules on times, shared by coordinator and linker.
 * Finalists of screened entries: OK ones whose median is within RECORD_FINAL_SHARE of the best, at most RECORD_FINAL_MOST by (median,
 * variant), and the default. Marks `finalist`. */
enum { RECORD_FINAL_MOST = 5 };
#define RECORD_FINAL_SHARE 1.25
void record_pick_finalists(struct record_entry *entries, uint32_t count);
/* Index of the winner of a final: lowest rank; among ties less workspace, then variant text. -1: none is OK. */
int record_winner(const struct record *record);

#endif
