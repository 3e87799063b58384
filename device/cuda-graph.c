/* Captured work, and time between two marks. See cuda-device.h.
 *
 * Captures are of the relaxed mode: what a library does beside the stream while it is captured is no error of ours. An error
 * between begin and end spoils the capture, also one that the driver does not know of (a launch refused here): end gives it again
 * and no graph.
 */
#include "cuda-internal.h"

#include <stdlib.h>

struct cuda_graph {
  struct cuda_device *device;
  cuda_graph_exec exec;
};

enum farm_status cuda_capture_begin(struct cuda_device *device) {
  TRY(cuda_enter(device));
  FAIL_IF(device->capturing, FARM_USAGE, "a capture is under way on this device");
  TRY(cuda_check(device, device->api->cuStreamBeginCapture_v2(device->stream, CU_STREAM_CAPTURE_MODE_RELAXED),
                 "beginning a capture"));
  device->capturing = true;
  device->capture_failed = FARM_OK;
  return FARM_OK;
}

static enum farm_status graph_make(struct cuda_device *device, cuda_graph_handle captured, struct cuda_graph **out_graph) {
  struct cuda_graph *graph = calloc(1, sizeof *graph);
  FAIL_IF(!graph, FARM_NO_MEMORY, "out of memory for a graph");
  graph->device = device;
  enum farm_status status =
      cuda_check(device, device->api->cuGraphInstantiateWithFlags(&graph->exec, captured, 0), "making a graph launchable");
  if (status != FARM_OK) {
    free(graph);
    return status;
  }
  *out_graph = graph;
  return FARM_OK;
}

enum farm_status cuda_capture_end(struct cuda_device *device, struct cuda_graph **out_graph) {
  cuda_graph_handle captured = NULL;
  FAIL_IF(!device->capturing, FARM_USAGE, "no capture is under way on this device");
  device->capturing = false;
  TRY(cuda_enter(device));
  cuda_result result = device->api->cuStreamEndCapture(device->stream, &captured);
  enum farm_status status = device->capture_failed == FARM_OK ? cuda_check(device, result, "ending a capture")
                                                              : status_set(device->capture_failed, "%s", device->capture_message);
  if (status == FARM_OK && !captured) status = status_set(FARM_FAILURE, "the driver captured no graph");
  if (status == FARM_OK) status = graph_make(device, captured, out_graph);
  if (captured) device->api->cuGraphDestroy(captured);
  return status;
}

enum farm_status cuda_graph_launch(struct cuda_device *device, struct cuda_graph *graph) {
  TRY(cuda_enter(device));
  FAIL_IF(graph->device != device, FARM_USAGE, "a graph of another device");
  return cuda_check(device, device->api->cuGraphLaunch(graph->exec, device->stream), "launching a graph");
}

void cuda_graph_free(struct cuda_graph **graph) {
  struct cuda_graph *freeing = *graph;
  *graph = NULL;
  if (!freeing) return;
  struct cuda_device *device = freeing->device;
  if (cuda_leave(device)) device->api->cuGraphExecDestroy(freeing->exec);
  free(freeing);
}

/* ---- time ---- */

static enum farm_status mark(struct cuda_device *device, int which) {
  TRY(cuda_enter(device));
  TRY(cuda_check(device, device->api->cuEventRecord(device->marks[which], device->stream), "marking time"));
  device->marked |= 1u << which;
  return FARM_OK;
}

enum farm_status cuda_mark_begin(struct cuda_device *device) { return mark(device, 0); }
enum farm_status cuda_mark_end(struct cuda_device *device) { return mark(device, 1); }

enum farm_status cuda_marked_ns(struct cuda_device *device, double *out_ns) {
  float ms = 0;
  TRY(cuda_enter(device));
  FAIL_IF(device->marked != 3, FARM_USAGE, "time is asked for between marks that were not set");
  TRY(cuda_check(device, device->api->cuEventElapsedTime(&ms, device->marks[0], device->marks[1]), "reading time between marks"));
  *out_ns = (double)ms * 1e6;
  return FARM_OK;
}
