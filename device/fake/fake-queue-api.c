/* Streams, events, captures and graphs of the fake driver's interface. */
#include "fake-driver.h"

#include <stdlib.h>

static cuda_result enter_stream(cuda_stream *stream) {
  cuda_result result = fake_enter(FAKE_CONTEXT);
  if (result != CUDA_SUCCESS) return result;
  *stream = fake_stream_of(*stream);
  return *stream == NULL ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}

/* Waiting for a stream that is captured, or asking it, spoils the capture. */
static cuda_result enter_waiting(cuda_stream *stream) {
  cuda_result result = enter_stream(stream);
  if (result != CUDA_SUCCESS || (*stream)->capture == NULL) return result;
  (*stream)->capture_broken = true;
  return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

cuda_result cuStreamCreate(cuda_stream *out_stream, unsigned int flags) {
  cuda_result result = fake_enter(FAKE_CONTEXT);
  cuda_stream stream = result == CUDA_SUCCESS ? calloc(1, sizeof *stream) : NULL;
  if (result == CUDA_SUCCESS && stream == NULL) result = CUDA_ERROR_OUT_OF_MEMORY;
  if (result == CUDA_SUCCESS) {
    stream->context = fake_current;
    stream->next = fake_current->streams;
    fake_current->streams = stream;
    *out_stream = stream;
  }
  return fake_leave(result, "cuStreamCreate", "%u", flags);
}

/* Returns at once on a device; what is under way ends by itself. Here it is run now, unless it hangs. */
cuda_result cuStreamDestroy_v2(cuda_stream stream) {
  cuda_stream found = stream;
  cuda_result result = enter_stream(&found);
  if (result == CUDA_SUCCESS && (stream == NULL || found->next == NULL)) result = CUDA_ERROR_INVALID_HANDLE;
  if (result == CUDA_SUCCESS) {
    fake_stream_run(stream, 0);
    for (cuda_stream *at = &fake_current->streams; *at != NULL; at = &(*at)->next)
      if (*at == stream) {
        *at = stream->next;
        break;
      }
    if (stream->capture != NULL) fake_list_free(&stream->capture->list);
    free(stream->capture);
    fake_list_free(&stream->queue);
    free(stream);
  }
  return fake_leave(result, "cuStreamDestroy_v2", "%p", (void *)stream);
}

cuda_result cuStreamSynchronize(cuda_stream stream) {
  cuda_result result = enter_waiting(&stream);
  if (result == CUDA_SUCCESS) result = fake_stream_wait(stream);
  return fake_leave(result, "cuStreamSynchronize", "%p", (void *)stream);
}

/* Works for a moment: a caller that asks again and again gets to the end. */
cuda_result cuStreamQuery(cuda_stream stream) {
  enum { MOMENT_NS = 2000000 };
  cuda_result result = enter_waiting(&stream);
  if (result == CUDA_SUCCESS) result = fake_stream_run(stream, MOMENT_NS);
  return fake_leave(result, "cuStreamQuery", "%p", (void *)stream);
}

/* ---- events ---- */

cuda_result cuEventCreate(cuda_event *out_event, unsigned int flags) {
  cuda_result result = fake_enter(FAKE_CONTEXT);
  cuda_event event = result == CUDA_SUCCESS ? calloc(1, sizeof *event) : NULL;
  if (result == CUDA_SUCCESS && event == NULL) result = CUDA_ERROR_OUT_OF_MEMORY;
  if (result == CUDA_SUCCESS) {
    *event = (struct CUevent_st){.context = fake_current, .next = fake_current->events};
    *out_event = fake_current->events = event;
  }
  return fake_leave(result, "cuEventCreate", "%u", flags);
}

cuda_result cuEventDestroy_v2(cuda_event event) {
  cuda_result result = fake_enter(FAKE_CONTEXT);
  if (event == NULL) result = CUDA_ERROR_INVALID_HANDLE;
  for (cuda_event *at = event == NULL ? NULL : &event->context->events; at != NULL && *at != NULL; at = &(*at)->next)
    if (*at == event) {
      *at = event->next;
      break;
    }
  if (event != NULL && event->pending != 0)
    event->destroyed = true;
  else
    free(event);
  return fake_leave(result, "cuEventDestroy_v2", "%p", (void *)event);
}

cuda_result cuEventElapsedTime(float *out_ms, cuda_event begin, cuda_event end) {
  cuda_result result = fake_enter(FAKE_CONTEXT);
  if (result == CUDA_SUCCESS && (begin == NULL || end == NULL || !begin->recorded || !end->recorded))
    result = CUDA_ERROR_INVALID_HANDLE;
  if (result == CUDA_SUCCESS && (begin->pending != 0 || end->pending != 0)) result = CUDA_ERROR_NOT_READY;
  if (result == CUDA_SUCCESS) *out_ms = (float)((double)(end->time_ns - begin->time_ns) * 1e-6);
  return fake_leave(result, "cuEventElapsedTime", " ");
}

/* ---- graphs ---- */

cuda_result cuStreamBeginCapture_v2(cuda_stream stream, int mode) {
  cuda_stream asked = stream;
  cuda_result result = enter_stream(&stream);
  if (result == CUDA_SUCCESS && (stream->capture != NULL || asked == NULL)) result = CUDA_ERROR_ILLEGAL_STATE;
  if (result == CUDA_SUCCESS) {
    stream->capture = calloc(1, sizeof *stream->capture);
    stream->capture_broken = false;
    if (stream->capture == NULL) result = CUDA_ERROR_OUT_OF_MEMORY;
  }
  return fake_leave(result, "cuStreamBeginCapture_v2", "%p %d", (void *)stream, mode);
}

cuda_result cuStreamEndCapture(cuda_stream stream, cuda_graph_handle *out_graph) {
  cuda_result result = enter_stream(&stream);
  if (result == CUDA_SUCCESS && stream->capture == NULL) result = CUDA_ERROR_ILLEGAL_STATE;
  if (result == CUDA_SUCCESS) {
    *out_graph = stream->capture;
    stream->capture = NULL;
    if (stream->capture_broken) {
      fake_list_free(&(*out_graph)->list);
      free(*out_graph);
      *out_graph = NULL;
      result = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    }
  }
  return fake_leave(result, "cuStreamEndCapture", "%p", (void *)stream);
}

cuda_result cuGraphInstantiateWithFlags(cuda_graph_exec *out_exec, cuda_graph_handle graph, unsigned long long flags) {
  cuda_result result = fake_enter(FAKE_CONTEXT);
  if (result == CUDA_SUCCESS && graph == NULL) result = CUDA_ERROR_INVALID_HANDLE;
  cuda_graph_exec exec = result == CUDA_SUCCESS ? calloc(1, sizeof *exec) : NULL;
  if (result == CUDA_SUCCESS && exec == NULL) result = CUDA_ERROR_OUT_OF_MEMORY;
  for (size_t i = 0; result == CUDA_SUCCESS && i < graph->list.count; i++)
    if (!fake_list_add(&exec->list, graph->list.work[i])) result = CUDA_ERROR_OUT_OF_MEMORY;
  if (result == CUDA_SUCCESS) {
    exec->context = fake_current;
    exec->next = fake_current->graphs;
    *out_exec = fake_current->graphs = exec;
  } else if (exec != NULL) {
    fake_list_free(&exec->list);
    free(exec);
  }
  return fake_leave(result, "cuGraphInstantiateWithFlags", "%llu", flags);
}

cuda_result cuGraphLaunch(cuda_graph_exec exec, cuda_stream stream) {
  cuda_result result = enter_stream(&stream);
  if (result == CUDA_SUCCESS && exec == NULL) result = CUDA_ERROR_INVALID_HANDLE;
  struct fake_list *list = NULL;
  if (result == CUDA_SUCCESS) list = stream->capture != NULL ? &stream->capture->list : &stream->queue;
  for (size_t i = 0; result == CUDA_SUCCESS && i < exec->list.count; i++)
    if (!fake_list_add(list, exec->list.work[i])) result = CUDA_ERROR_OUT_OF_MEMORY;
  return fake_leave(result, "cuGraphLaunch", "%zu nodes", exec == NULL ? (size_t)0 : exec->list.count);
}

cuda_result cuGraphDestroy(cuda_graph_handle graph) {
  cuda_result result = fake_enter(FAKE_CONTEXT);
  if (graph == NULL)
    result = CUDA_ERROR_INVALID_HANDLE;
  else {
    fake_list_free(&graph->list);
    free(graph);
  }
  return fake_leave(result, "cuGraphDestroy", "%p", (void *)graph);
}

cuda_result cuGraphExecDestroy(cuda_graph_exec exec) {
  cuda_result result = fake_enter(FAKE_CONTEXT);
  if (exec == NULL)
    result = CUDA_ERROR_INVALID_HANDLE;
  else {
    for (cuda_graph_exec *at = &exec->context->graphs; *at != NULL; at = &(*at)->next)
      if (*at == exec) {
        *at = exec->next;
        break;
      }
    fake_list_free(&exec->list);
    free(exec);
  }
  return fake_leave(result, "cuGraphExecDestroy", "%p", (void *)exec);
}
