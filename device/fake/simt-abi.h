/* What a kernel compiled for the emulator and the emulator say to each other. Read by both: by kernels as C++ (simt.h), by the
 * fake driver as C. Nothing is included.
 *
 *   kernel's library: farm_simt_bind(services) once; then one struct simt_entry per kernel, found by the kernel's name
 *   fake driver:      runs entry->body(args) once per thread, each on a stack of its own, and serves the calls below
 *
 * Time is counted in steps of a clock that ticks at each barrier. A shared element remembers who touched it when; two threads'
 * accesses are in order when a barrier of their block lies between, or a __syncwarp where both are of one warp:
 *
 *   stamp of an access = times->warp
 *   in order with now  = stamp < times->block, or same warp and stamp < times->warp
 */
#ifndef DEVICE_FAKE_SIMT_ABI_H
#define DEVICE_FAKE_SIMT_ABI_H

enum { SIMT_ABI = 2, SIMT_WARP = 32, SIMT_THREADS_MOST = 1024, SIMT_SHARED_MOST = 48 * 1024, SIMT_ARRAYS_MOST = 32 };

struct simt_dim3 {
  unsigned x, y, z;
};

/* Who touched an element: a thread's number in its block, several threads of a warp (SEVERAL + warp), or one of these. */
enum simt_who { SIMT_SEVERAL = 1024, SIMT_EVERYONE = 2000, SIMT_ATOMIC = 2001, SIMT_COPYING = 2002 };

struct simt_shadow {
  unsigned write_stamp, read_stamp; // 0: never; a stamp before the block's begin is another block's
  unsigned short writer, reader;
};

/* One shared array of the block that runs. */
struct simt_array {
  const void *tag; // the declaration
  const char *name;
  unsigned element_bytes, count;
  unsigned char *bytes;
  struct simt_shadow *shadow; // [count]
};

struct simt_times {
  unsigned begin, block, warp; // of the block's start, of its last barrier, of the warp's last one
};

/* What a thread knows of itself. */
struct simt_thread {
  struct simt_dim3 thread, block, block_dim, grid_dim;
  unsigned index, warp_index, lane;
  const struct simt_times *times; // of its warp
};

enum simt_collective {
  SIMT_SYNCWARP, SIMT_SHUFFLE, SIMT_SHUFFLE_UP, SIMT_SHUFFLE_DOWN, SIMT_SHUFFLE_XOR, SIMT_BALLOT,
  SIMT_LDMATRIX, SIMT_LDMATRIX_TRANS, SIMT_MMA_F16, SIMT_MMA_BF16, SIMT_MMA_TF32
};
/* What a lane brings to a collective call, and takes from it. */
struct simt_exchange {
  unsigned long long value; // shuffles; ballot: 0 or 1, and the mask of lanes on return
  unsigned from, width;     // shuffles: lane, distance or lane mask
  unsigned words[4];        // ldmatrix: the row, then the fragments
  float *d;                 // mma: [4]
  const unsigned *a, *b;    // mma: [4], [2]
};

enum simt_fault {
  SIMT_FAULT_BOUNDS, SIMT_FAULT_UNWRITTEN, SIMT_FAULT_COPYING, SIMT_FAULT_RACE_WRITTEN, SIMT_FAULT_RACE_READ, SIMT_FAULT_UNALIGNED
};

/* Where a kernel may read and write: its own part of the host's memory, and the allocation it touched last. */
struct simt_range {
  unsigned long long low, high;
};
enum { SIMT_RANGES = 3 };
struct simt_places {
  struct simt_range last, fixed[SIMT_RANGES];
};

struct simt_services {
  unsigned abi;
  /* The array of a declaration: made by the block's first thread that comes by. */
  struct simt_array *(*shared)(const void *tag, const char *name, unsigned element_bytes, unsigned count);
  void (*barrier)(int line);
  void (*collective)(int kind, unsigned mask, struct simt_exchange *exchange, int line);
  void (*async_copy)(struct simt_array *array, unsigned index, const void *from, int valid);
  void (*async_commit)(void);
  void (*async_wait)(unsigned groups_left);
  /* An access elsewhere: of an allocation, else the launch fails. */
  void (*touch)(unsigned long long address, unsigned bytes, int writes);
  const struct simt_places *places;
  /* These do not return: the launch fails. */
  void (*shared_fault)(int fault, const struct simt_array *array, long long index, int line);
  void (*memory_fault)(const char *what, const void *address, int line);
  void (*fault)(const char *what, int line);
};

/* An exported object of that type and name per kernel. */
struct simt_entry {
  const char *name;
  void (*body)(const void *arguments);
  unsigned argument_bytes, threads_most;
};

/* Exported by the library as farm_simt_bind: takes the services, gives the place of its "thread that runs now"; NULL: another
 * ABI. */
typedef struct simt_thread **(*simt_bind_fn)(const struct simt_services *services);

#endif
