/* Streams: what is put on them waits in a queue; what runs it, and what can go wrong then. See fake-driver.h. */
#include "fake-driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t kernels_run;

/* ---- lists of work ---- */

bool fake_list_add(struct fake_list *list, struct fake_work *work) {
  if (list->count == list->capacity) {
    size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
    struct fake_work **more = realloc(list->work, capacity * sizeof(struct fake_work *));
    if (more == NULL) return false;
    list->work = more;
    list->capacity = capacity;
  }
  list->work[list->count++] = work;
  work->references++;
  return true;
}

static void work_release(struct fake_work *work) {
  if (--work->references == 0) free(work);
}

void fake_list_free(struct fake_list *list) {
  for (size_t i = 0; i < list->count; i++) work_release(list->work[i]);
  free(list->work);
  *list = (struct fake_list){0};
}

/* ---- running ---- */

static void event_happens(cuda_event event) {
  event->time_ns = fake_now_ns();
  if (--event->pending == 0 && event->destroyed) free(event);
}

static const struct {
  enum fake_fault fault;
  cuda_result error;
  const char *text;
} strikes[] = {{FAULT_LAUNCH, CUDA_ERROR_LAUNCH_FAILED, "the launch fails, as was asked for"},
               {FAULT_ILLEGAL, CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal address, as was asked for"}};

static cuda_result kernel_run(cuda_stream stream, const struct fake_work *work) {
  static const cuda_result errors[] = {[SIMT_BROKEN] = CUDA_ERROR_LAUNCH_FAILED,
                                       [SIMT_MISALIGNED] = CUDA_ERROR_MISALIGNED_ADDRESS,
                                       [SIMT_WILD] = CUDA_ERROR_ILLEGAL_ADDRESS};
  char message[SIMT_MESSAGE_MAX];
  const struct simt_entry *entry = work->function->entry;
  kernels_run++;
  for (size_t i = 0; i < sizeof strikes / sizeof *strikes; i++)
    if (fake_strikes(strikes[i].fault, kernels_run)) {
      snprintf(message, sizeof message, "kernel %s: %s", entry->name, strikes[i].text);
      return fake_break(stream->context, strikes[i].error, message);
    }
  if (fake_strikes(FAULT_LOST, kernels_run)) {
    fake_device_lose();
    return CUDA_ERROR_DEVICE_UNAVAILABLE;
  }
  if (fake_strikes(FAULT_HANG, kernels_run)) stream->hung = true;
  if (stream->hung) return CUDA_ERROR_NOT_READY;
  struct simt_launch launch = {.entry = entry,
                               .now = work->function->module->now,
                               .arguments = work->bytes_here,
                               .order = fake_spec.order,
                               .locate = fake_memory_locate,
                               .describe = fake_memory_describe};
  memcpy(launch.grid, work->grid, sizeof launch.grid);
  memcpy(launch.block, work->block, sizeof launch.block);
  uint64_t begin = fake_now_ns();
  enum simt_result result = simt_grid_run(&launch, message);
  fake_log("# ran %s grid (%u,%u,%u) block (%u,%u,%u) in %.3f ms", entry->name, work->grid[0], work->grid[1], work->grid[2],
           work->block[0], work->block[1], work->block[2], (double)(fake_now_ns() - begin) * 1e-6);
  return result == SIMT_DONE ? CUDA_SUCCESS : fake_break(stream->context, errors[result], message);
}

static cuda_result work_run(cuda_stream stream, const struct fake_work *work) {
  switch (work->kind) {
  case WORK_COPY:
    memmove(work->to, work->from, work->bytes);
    return CUDA_SUCCESS;
  case WORK_FILL:
    memset(work->to, work->value, work->bytes);
    return CUDA_SUCCESS;
  case WORK_EVENT:
    event_happens(work->event);
    return CUDA_SUCCESS;
  case WORK_HOST:
    work->host(work->to);
    return CUDA_SUCCESS;
  default:
    return kernel_run(stream, work);
  }
}

/* Events whose turn never comes are over nevertheless: nobody waits for them in a broken context. */
static void queue_drop(cuda_stream stream) {
  for (size_t i = stream->done; i < stream->queue.count; i++)
    if (stream->queue.work[i]->kind == WORK_EVENT) event_happens(stream->queue.work[i]->event);
  for (size_t i = 0; i < stream->queue.count; i++) work_release(stream->queue.work[i]);
  stream->queue.count = stream->done = 0;
}

static cuda_result queue_run(cuda_stream stream, uint64_t budget_ns) {
  uint64_t begin = fake_now_ns();
  cuda_result result = CUDA_SUCCESS;
  while (result == CUDA_SUCCESS && stream->done < stream->queue.count) {
    if (budget_ns != 0 && fake_now_ns() - begin > budget_ns) return CUDA_ERROR_NOT_READY;
    result = work_run(stream, stream->queue.work[stream->done]);
    if (result == CUDA_SUCCESS) stream->done++;
  }
  return result;
}

cuda_result fake_stream_run(cuda_stream stream, uint64_t budget_ns) {
  if (stream->context->error != CUDA_SUCCESS) return stream->context->error;
  if (stream->hung) return CUDA_ERROR_NOT_READY;
  if (stream->done == stream->queue.count) return CUDA_SUCCESS;
  fake_memory_open();
  cuda_result result = queue_run(stream, budget_ns);
  fake_memory_close();
  if (result != CUDA_ERROR_NOT_READY) queue_drop(stream);
  return result;
}

cuda_result fake_stream_wait(cuda_stream stream) {
  for (;;) {
    cuda_result result = fake_stream_run(stream, 0);
    if (result != CUDA_ERROR_NOT_READY) return result;
    fake_pause();
  }
}

cuda_result fake_context_wait(cuda_context context) {
  cuda_result result = context->error;
  for (cuda_stream s = context->streams; s != NULL && result == CUDA_SUCCESS; s = s->next) result = fake_stream_wait(s);
  return result;
}

cuda_stream fake_stream_of(cuda_stream stream) {
  for (cuda_stream s = fake_current->streams; s != NULL; s = s->next)
    if (s == stream || (stream == NULL && s->next == NULL)) return s;
  return NULL;
}

/* ---- putting work on a stream ---- */

static struct fake_work *work_make(enum fake_work_kind kind, const void *bytes, size_t count) {
  struct fake_work *work = calloc(1, sizeof *work + count);
  if (work == NULL) return NULL;
  work->kind = kind;
  if (count != 0) memcpy(work->bytes_here, bytes, count);
  return work;
}

/* Into the graph when the stream is captured, else into the queue. Takes the work over; NULL is out of memory. */
static cuda_result work_put(cuda_stream stream, struct fake_work *work) {
  if (work == NULL) return CUDA_ERROR_OUT_OF_MEMORY;
  bool captured = stream->capture != NULL;
  if (captured && work->kind == WORK_EVENT) {
    free(work); // an event in a graph only orders it
    return CUDA_SUCCESS;
  }
  if (!fake_list_add(captured ? &stream->capture->list : &stream->queue, work)) {
    free(work);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  if (work->kind == WORK_EVENT) work->event->pending++;
  return CUDA_SUCCESS;
}

/* A source that is not pinned is taken at once, unless the copy is captured: then it is read at each launch. */
static cuda_result copy_put(cuda_stream stream, void *to, const void *from, size_t bytes, bool from_host) {
  bool stage = from_host && stream->capture == NULL && !fake_pinned_contains(from, bytes);
  if (bytes == 0) return CUDA_SUCCESS;
  struct fake_work *work = work_make(WORK_COPY, from, stage ? bytes : 0);
  if (work != NULL) {
    work->to = to;
    work->from = stage ? work->bytes_here : from;
    work->bytes = bytes;
  }
  return work_put(stream, work);
}

static cuda_result enter_stream(cuda_stream *stream) {
  cuda_result result = fake_enter(FAKE_CONTEXT);
  if (result != CUDA_SUCCESS) return result;
  *stream = fake_stream_of(*stream);
  return *stream == NULL ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}

#define HOST(address) ((void *)(uintptr_t)(address))

cuda_result cuMemcpyHtoDAsync_v2(cuda_address to, const void *from, size_t bytes, cuda_stream stream) {
  cuda_result result = enter_stream(&stream);
  if (result == CUDA_SUCCESS && (from == NULL || !fake_memory_contains(to, bytes))) result = CUDA_ERROR_INVALID_VALUE;
  if (result == CUDA_SUCCESS) result = copy_put(stream, HOST(to), from, bytes, true);
  return fake_leave(result, "cuMemcpyHtoDAsync_v2", "0x%llx %zu", (unsigned long long)to, bytes);
}

cuda_result cuMemcpyDtoHAsync_v2(void *to, cuda_address from, size_t bytes, cuda_stream stream) {
  cuda_result result = enter_stream(&stream);
  if (result == CUDA_SUCCESS && (to == NULL || !fake_memory_contains(from, bytes))) result = CUDA_ERROR_INVALID_VALUE;
  if (result == CUDA_SUCCESS) result = copy_put(stream, to, HOST(from), bytes, false);
  bool staged = result == CUDA_SUCCESS && stream->capture == NULL && !fake_pinned_contains(to, bytes);
  if (staged) result = fake_stream_wait(stream); // the driver returns when the bytes have arrived
  return fake_leave(result, "cuMemcpyDtoHAsync_v2", "0x%llx %zu", (unsigned long long)from, bytes);
}

cuda_result cuMemcpyDtoDAsync_v2(cuda_address to, cuda_address from, size_t bytes, cuda_stream stream) {
  cuda_result result = enter_stream(&stream);
  if (result == CUDA_SUCCESS && (!fake_memory_contains(from, bytes) || !fake_memory_contains(to, bytes)))
    result = CUDA_ERROR_INVALID_VALUE;
  if (result == CUDA_SUCCESS) result = copy_put(stream, HOST(to), HOST(from), bytes, false);
  return fake_leave(result, "cuMemcpyDtoDAsync_v2", "0x%llx 0x%llx %zu", (unsigned long long)to, (unsigned long long)from, bytes);
}

cuda_result cuMemsetD8Async(cuda_address to, unsigned char value, size_t bytes, cuda_stream stream) {
  cuda_result result = enter_stream(&stream);
  if (result == CUDA_SUCCESS && !fake_memory_contains(to, bytes)) result = CUDA_ERROR_INVALID_VALUE;
  if (result == CUDA_SUCCESS && bytes != 0) {
    struct fake_work *work = work_make(WORK_FILL, NULL, 0);
    if (work != NULL) {
      work->to = HOST(to);
      work->value = value;
      work->bytes = bytes;
    }
    result = work_put(stream, work);
  }
  return fake_leave(result, "cuMemsetD8Async", "0x%llx %u %zu", (unsigned long long)to, value, bytes);
}

cuda_result cuEventRecord(cuda_event event, cuda_stream stream) {
  cuda_result result = enter_stream(&stream);
  if (result == CUDA_SUCCESS && event == NULL) result = CUDA_ERROR_INVALID_HANDLE;
  if (result == CUDA_SUCCESS) {
    struct fake_work *work = work_make(WORK_EVENT, NULL, 0);
    if (work != NULL) work->event = event;
    result = work_put(stream, work);
    if (result == CUDA_SUCCESS && stream->capture == NULL) event->recorded = true;
  }
  return fake_leave(result, "cuEventRecord", "%p", (void *)event);
}

cuda_result cuLaunchHostFunc(cuda_stream stream, void (*function)(void *), void *context) {
  cuda_result result = enter_stream(&stream);
  if (result == CUDA_SUCCESS && function == NULL) result = CUDA_ERROR_INVALID_VALUE;
  if (result == CUDA_SUCCESS) {
    struct fake_work *work = work_make(WORK_HOST, NULL, 0);
    if (work != NULL) {
      work->to = context;
      work->host = function;
    }
    result = work_put(stream, work);
  }
  return fake_leave(result, "cuLaunchHostFunc", "%p", context);
}

/* One struct by value: from the list of pointers, or from a buffer as CU_LAUNCH_PARAM_BUFFER_POINTER and _SIZE say. */
static cuda_result arguments_find(const struct simt_entry *entry, void **arguments, void **extra, const void **out) {
  *out = NULL;
  if (arguments != NULL && extra != NULL) return CUDA_ERROR_INVALID_VALUE;
  if (arguments != NULL) *out = arguments[0];
  for (; extra != NULL && *extra != NULL; extra += 2) {
    if (extra[0] == (void *)1)
      *out = extra[1];
    else if (extra[0] != (void *)2 || *(const size_t *)extra[1] != entry->argument_bytes)
      return CUDA_ERROR_INVALID_VALUE;
  }
  return *out == NULL ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

static cuda_result launch_check(const struct simt_entry *entry, const unsigned grid[3], const unsigned block[3],
                                unsigned shared) {
  uint64_t threads = (uint64_t)block[0] * block[1] * block[2];
  if (grid[0] == 0 || grid[1] == 0 || grid[2] == 0 || grid[0] > 0x7fffffff || grid[1] > 65535 || grid[2] > 65535)
    return CUDA_ERROR_INVALID_VALUE;
  if (block[0] > 1024 || block[1] > 1024 || block[2] > 64 || threads == 0 || threads > SIMT_THREADS_MOST || shared != 0)
    return CUDA_ERROR_INVALID_VALUE;
  return threads > entry->threads_most ? CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES : CUDA_SUCCESS;
}

cuda_result cuLaunchKernel(cuda_function function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
                           unsigned int block_x, unsigned int block_y, unsigned int block_z, unsigned int shared_bytes,
                           cuda_stream stream, void **arguments, void **extra) {
  unsigned grid[3] = {grid_x, grid_y, grid_z}, block[3] = {block_x, block_y, block_z};
  const void *bytes = NULL;
  cuda_result result = enter_stream(&stream);
  if (result == CUDA_SUCCESS && function == NULL) result = CUDA_ERROR_INVALID_HANDLE;
  if (result == CUDA_SUCCESS) result = launch_check(function->entry, grid, block, shared_bytes);
  if (result == CUDA_SUCCESS) result = arguments_find(function->entry, arguments, extra, &bytes);
  if (result == CUDA_SUCCESS) {
    struct fake_work *work = work_make(WORK_KERNEL, bytes, function->entry->argument_bytes);
    if (work != NULL) {
      work->function = function;
      memcpy(work->grid, grid, sizeof grid);
      memcpy(work->block, block, sizeof block);
    }
    result = work_put(stream, work);
  }
  return fake_leave(result, "cuLaunchKernel", "%s (%u,%u,%u) (%u,%u,%u)", function == NULL ? "?" : function->entry->name, grid_x,
                    grid_y, grid_z, block_x, block_y, block_z);
}
