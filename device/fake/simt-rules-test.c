/* Every check of the emulator is seen to fire, on a kernel that breaks its rule; and not on one that keeps it. */
#include "fake-rig-test.h"

static const struct {
  const char *kernel, *finds; // NULL: nothing
  unsigned blocks;
  long long at;
} rules[] = {
    {"bounds_read", "tile[64] is out of bounds: the shared array has 64 elements", 1, 0},
    {"bounds_below", "tile[-1] is out of bounds", 1, 0},
    {"bounds_load4", "tile[66] is out of bounds", 1, 0},
    {"unwritten", "tile[7] is read before it was written (uninitialised)", 1, 0},
    {"unwritten_next_block", "tile[0] is read before it was written", 2, 0},
    {"race_write_read", "race: tile[", 1, 0},
    {"race_read_write", "race: tile[", 1, 0},
    {"race_write_write", "race: tile[0] was written by thread 0 and no barrier lies between", 1, 0},
    {"race_in_warp", "race: tile[0] was written by thread 0", 1, 0},
    {"race_after_shuffle", "race: tile[", 1, 0},
    {"race_across_warps", "race: tile[31] was written by thread 31 and", 1, 0},
    {"race_many_readers", "race: tile[5] was read by several warps", 1, 0},
    {"race_atomic", "race: sum[0] was written by an atomic operation", 1, 0},
    {"fine_warp", NULL, 1, 0},
    {"fine_atomic", NULL, 1, 0},
    {"copy_not_awaited", "tile[0] is touched while an asynchronous copy to it is under way", 1, 0},
    {"copy_not_committed", "tile[0] is touched while an asynchronous copy", 1, 0},
    {"copy_one_too_early", "tile[256] is touched while an asynchronous copy", 1, 0},
    {"copy_no_barrier", "race: tile[1] was written by thread 0", 1, 0},
    {"copy_over_readers", "tile[1] is touched while an asynchronous copy to it is under way", 1, 0},
    {"copy_unaligned", "copy_async from an address that is no multiple of 16", 1, 0},
    {"barrier_diverges", "threads of one block wait at different barriers", 1, 0},
    {"fine_ended", NULL, 1, 0},
    {"shuffle_and_barrier", "lane 0 waits in __shfl_sync with mask 0xffffffff, but lane 16 waits at the barrier", 1, 0},
    {"shuffle_kinds", "in __shfl_xor_sync with mask 0xffffffff", 1, 0},
    {"shuffle_masks", "with mask 0xffff0001", 1, 0},
    {"shuffle_not_named", "which does not name its own lane", 1, 0},
    {"shuffle_from_absent", "reads from lane 20, which does not take part", 1, 0},
    {"mma_partial", "takes a whole warp; lanes 0x7fffffff came", 1, 0},
    {"load4_unaligned", "load4 of an address that is no multiple of 16", 1, 0},
    {"store4_unaligned", "store4 to an address that is no multiple of 16", 1, 0},
    {"shared4_unaligned", "tile[2] is not at a multiple of 16 bytes", 1, 0},
    {"scalar_unaligned", "an address that its type does not allow, line", 1, 0},
    {"slack_behind", NULL, 1, 63},
    {"slack_behind", ": 0 bytes behind the end of an allocation of 260 bytes", 1, 65},
    {"slack_behind", ": 4 bytes before an allocation of 260 bytes", 1, -1},
    {"slack_read", NULL, 1, 64},
    {"slack_read", "read of 4 bytes at 0x", 1, 65},
    {"load4_behind", ": over the end of an allocation of 260 bytes", 1, 0},
    {"store4_behind", ": over the end of an allocation of 260 bytes", 1, 0},
    {"copy_behind", NULL, 1, 60},
    {"copy_behind", ": over the end of an allocation of 260 bytes", 1, 64},
    {"host_pointer", ": it is in no allocation", 1, 0},
    {"wild", "512 bytes behind the end of an allocation of 260 bytes; block (0,0,0), thread (3,0,0)", 1, 193 - 0},
    {"wild", "it is in no allocation", 1, 1LL << 40},
    {"local_index", NULL, 1, 4},
    {"local_index", "an index beyond a local array, line", 1, 5},
    {"shifts_too_far", "a shift by too many bits, or of a negative number, line", 1, 1},
    {"divides_by_zero", "integer division by zero", 1, 0},
    {"too_much_shared", "with array more, shared memory is 49168 bytes, 49152 at most", 1, 0},
    {"stack_overflow", NULL, 1, 8},
    {"stack_overflow", "the thread's stack of 128 KiB is full", 1, 100},
};

static long long at_of(size_t rule, const float *host) {
  return strcmp(rules[rule].kernel, "host_pointer") == 0 ? (long long)(intptr_t)host : rules[rule].at;
}

/* `out` has 65 floats: 260 bytes, so that four bytes of a 16-byte step are slack. */
static void check_rule(struct rig *rig, size_t r) {
  float in[512] = {0}, out[65];
  enum farm_status status = rig_run(rig, rules[r].kernel, rules[r].blocks, 64, at_of(r, in), in, sizeof in, out, sizeof out);
  const char *message = status == FARM_OK ? "" : status_message();
  if (!rules[r].finds)
    CHECK_MESSAGE(status == FARM_OK, "%s at %lld: %s", rules[r].kernel, rules[r].at, message);
  else
    CHECK_MESSAGE(status == FARM_WORKER_LOST && strstr(message, rules[r].finds), "%s at %lld: \"%s\" has no \"%s\"",
                  rules[r].kernel, rules[r].at, message, rules[r].finds);
}

static void check_rules(const char *spec, int sm) {
  struct rig rig = rig_open(spec, "simt-rules-test.cu", sm);
  for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
    check_rule(&rig, r);
    rig_renew(&rig); // what was found sticks to the context
  }
  rig_close(&rig);
}

TEST(simt_rules, "") { check_rules("sm=90,mem=64m,quiet=1", 90); }

/* In another order of lanes and warps other threads are at fault, but something always is. */
static void check_order(const char *spec) {
  struct rig rig = rig_open(spec, "simt-rules-test.cu", 90);
  for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
    float in[512] = {0}, out[65];
    enum farm_status status = rig_run(&rig, rules[r].kernel, rules[r].blocks, 64, at_of(r, in), in, sizeof in, out, sizeof out);
    CHECK_MESSAGE((status == FARM_OK) == (rules[r].finds == NULL), "%s at %lld, %s: %s", rules[r].kernel, rules[r].at, spec,
                  status == FARM_OK ? "nothing found" : status_message());
    rig_renew(&rig);
  }
  rig_close(&rig);
}
TEST(simt_rules_backward, "") { check_order("mem=64m,order=backward,quiet=1"); }
TEST(simt_rules_shuffled, "") { check_order("mem=64m,order=shuffled,quiet=1"); }
