/* The inside of the fake driver: contexts, streams as queues, modules, and how every call of its interface begins and ends.
 *
 *   cuLaunchKernel, cuMemcpy…Async ─► queue of the stream (or the graph that it captures)
 *   cuStreamSynchronize, -Query, cuMemFree, … ─► fake_stream_run: the queue is worked off, in the caller's thread
 *
 * Nothing runs before somebody waits or asks: a caller that forgets to wait reads old bytes, always. One lock around it all.
 */
#ifndef DEVICE_FAKE_DRIVER_H
#define DEVICE_FAKE_DRIVER_H

#include "../cuda-api.h"
#include "fake-memory.h"
#include "fake-spec.h"

#define FAKE_EXPORT __attribute__((visibility("default")))
#define X(name, arguments) FAKE_EXPORT cuda_result name arguments;
CUDA_API(X)
CUDA_API_OPTIONAL(X)
#undef X

/* For stand-ins of libraries: a function that runs in its turn, with the device's memory in reach. */
FAKE_EXPORT cuda_result cuLaunchHostFunc(cuda_stream stream, void (*function)(void *), void *context);

enum { CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901, CUDA_ERROR_ILLEGAL_STATE = 401 };

struct CUctx_st {
  int ordinal;
  cuda_result error;   // that sticks
  cuda_stream streams; // the last of them is the default one
  cuda_event events;
  cuda_module modules;
  cuda_graph_exec graphs;
  struct CUctx_st *next;
};

struct CUfunc_st {
  struct CUfunc_st *next;
  cuda_module module;
  const struct simt_entry *entry;
};
struct CUmod_st {
  cuda_context context;
  cuda_module next;
  void *library;
  struct simt_thread **now;
  cuda_function functions;
};

struct CUevent_st {
  cuda_context context;
  cuda_event next;
  bool recorded;
  unsigned pending; // records that have not run yet
  uint64_t time_ns;
  bool destroyed; // freed when nothing is pending
};

enum fake_work_kind { WORK_COPY, WORK_FILL, WORK_KERNEL, WORK_EVENT, WORK_HOST };
/* One thing on a stream. Those of a graph are shared by its launches. */
struct fake_work {
  enum fake_work_kind kind;
  int references;
  void *to;
  const void *from; // in `bytes_here` when the source was not pinned
  size_t bytes;
  unsigned char value;
  cuda_event event;
  cuda_function function;
  void (*host)(void *); // with `to`
  unsigned grid[3], block[3];
  _Alignas(16) unsigned char bytes_here[];
};
struct fake_list {
  struct fake_work **work;
  size_t count, capacity;
};

struct CUstream_st {
  cuda_context context;
  cuda_stream next;
  struct fake_list queue;
  size_t done; // of the queue
  bool hung;
  cuda_graph_handle capture; // NULL: none
  bool capture_broken;
};
struct CUgraph_st {
  struct fake_list list;
};
struct CUgraphExec_st {
  cuda_context context;
  cuda_graph_exec next;
  struct fake_list list;
};

extern struct fake_spec fake_spec;

/* Every call of the interface: takes the lock and says whether it may go on; FAKE_CONTEXT: it needs a context without error. */
enum fake_need { FAKE_NOTHING, FAKE_INITIALISED, FAKE_CONTEXT };
cuda_result fake_enter(enum fake_need need);
cuda_result fake_leave(cuda_result result, const char *call, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Sleeps a little without the lock. */
void fake_pause(void);
void fake_lock(void);
void fake_unlock(void);

cuda_result fake_init(void);
/* Top of the thread's stack of contexts; what lies below is the business of cuCtx…. A context may have been destroyed since. */
extern _Thread_local cuda_context fake_current;
bool fake_context_known(cuda_context context);

/* The first failure of a context sticks; its text is what cuGetErrorString gives for that error, and goes to stderr and log. */
cuda_result fake_break(cuda_context context, cuda_result error, const char *text);
const char *fake_broken_text(cuda_result error); // NULL: none such
bool fake_strikes(enum fake_fault kind, uint64_t count);
void fake_device_lose(void);

bool fake_list_add(struct fake_list *list, struct fake_work *work); // takes a reference
void fake_list_free(struct fake_list *list);

/* Works the queue off, at most for about `budget_ns` (0: to its end). NOT_READY: some is left. */
cuda_result fake_stream_run(cuda_stream stream, uint64_t budget_ns);
cuda_result fake_stream_wait(cuda_stream stream); // to the end; a kernel that hangs makes it wait for ever
cuda_result fake_context_wait(cuda_context context);
cuda_stream fake_stream_of(cuda_stream stream); // NULL: not the current context's
uint64_t fake_now_ns(void);

#endif
