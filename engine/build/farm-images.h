/* Compiled kernels of a build that has a farm: from the store there, else compiled by whoever can, and put into the store.
 *
 *   text ──key──► store ──hit──► image
 *                   └─miss──► compilers of the farm, else NVRTC on this machine ──► store ──► image
 *
 * One compiler per build, since its version is in every key: the greatest that can be had now, else (`locked`, or nobody
 * compiles) the greatest that made what is in the store. A locked build compiles nothing.
 */
#ifndef ENGINE_BUILD_FARM_IMAGES_H
#define ENGINE_BUILD_FARM_IMAGES_H

#include "../../cluster/wire/client.h"
#include "build.h"

enum { FARM_COMPILER_BYTES = 64 };

struct farm_images {
  struct link_images images; // what the builder is given; its compiler is known when something was asked for
  struct client *client;
  bool remeasure;     // known items are measured again
  bool locked, keeps; // keeps: puts what was compiled into the store
  bool ready;
  char compiler[FARM_COMPILER_BYTES];          // of the keys; "no compiler" when there is none at all
  char worker_class[FARM_COMPILER_BYTES + 16]; // of the farm's compilers; "": there are none
  uint32_t workers;                            // how many of them
  bool local;                                  // NVRTC is here and is that compiler
  uint32_t compiled, failed;                   // by this build
  int gone_ms;                                 // so long without any of them, then they are given up
  /* While texts are compiled: who is told (NULL: nobody), how many were done before, and of how many. */
  void (*progress)(void *, const struct build_progress *);
  void *progress_context;
  uint32_t done, total;
};

/* The client stays the caller's. Asks nothing yet. */
void farm_images_init(struct farm_images *images, struct client *client, enum cache_mode mode);
/* Finds the compiler: once. Waits a moment for compilers that a local coordinator has just started. */
enum farm_status farm_images_ready(struct farm_images *images);
/* Everything that measuring these items needs is in the store afterwards: images, or why a text has none. Items of CPUs, and
 * those whose final record is there, need nothing. */
enum farm_status farm_images_for_items(struct farm_images *images, const struct build_item *items, size_t count,
                                       const char *policy, void (*progress)(void *, const struct build_progress *),
                                       void *progress_context);

#endif
