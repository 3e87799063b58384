/* The GPUs of this machine, looked at from outside: a process that has started a driver keeps a part of each device, so a
 * short-lived child does the looking. */
#ifndef WORKER_GPUS_H
#define WORKER_GPUS_H

#include "../device/cuda-device.h"

enum { GPUS_MOST = 64 };

/* All of them, in the driver's order; 0 with FARM_OK where there is no driver or no device, and *out_why (may be NULL, 300 bytes)
 * says so. FARM_FAILURE: the driver is there but does not answer. Before this process makes threads. */
enum farm_status gpus_list(struct cuda_properties out[GPUS_MOST], int *out_count, char *out_why);
/* One by UUID or ordinal. FARM_NOT_FOUND: there is none; the message says which there are. */
enum farm_status gpus_find(const char *which, struct cuda_properties *out);

#endif
