/* See library-search.h. */
#include "library-search.h"

#include "../base/strbuf.h"

#include <dlfcn.h>
#include <glob.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_NAMES = 4 };

static const struct place {
  const char *title, *variable;
  const char *names[MOST_NAMES + 1]; // as the dynamic linker knows them
  const char *companion;             // pattern of a file beside it that it will ask for by name
  bool bound;                        // to a driver: one of a later major version makes what an older driver does not load
} libraries[LIBRARY_COUNT] = {
    [LIBRARY_CUDA] = {"CUDA driver", "TUNEFARM_LIBCUDA", {"libcuda.so.1"}, NULL, false},
    [LIBRARY_NVRTC] =
        {"NVRTC", "TUNEFARM_LIBNVRTC", {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"}, "libnvrtc-builtins.so.*", true},
    [LIBRARY_CUBLASLT] =
        {"cuBLASLt", "TUNEFARM_LIBCUBLASLT", {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"}, NULL, true},
    [LIBRARY_NVML] = {"NVML", "TUNEFARM_LIBNVML", {"libnvidia-ml.so.1"}, NULL, false},
};

/* Folders, as glob patterns below the value of a variable; those without one are absolute. Patterns of wheels end in
 * nvidia/X/lib. */
static const struct folder {
  const char *variable, *pattern;
} folders[] = {
    {"CUDA_HOME", "/lib64"},
    {"CUDA_HOME", "/targets/x86_64-linux/lib"},
    {"CUDA_PATH", "/lib64"},
    {NULL, "/usr/local/cuda/lib64"},
    {NULL, "/usr/local/cuda/lib"},
    {NULL, "/usr/local/cuda/targets/x86_64-linux/lib"},
    {NULL, "/usr/local/cuda-*/lib64"},
    {NULL, "/usr/local/cuda-*/lib"},
    {NULL, "/usr/local/cuda-*/targets/x86_64-linux/lib"},
    {NULL, "/usr/local/nvidia/lib64"},
    {NULL, "/usr/lib/x86_64-linux-gnu"},
    {NULL, "/usr/lib64"},
    {NULL, "/usr/lib/wsl/lib"},
    {NULL, "/opt/cuda/lib64"},
    {"VIRTUAL_ENV", "/lib/python3*/site-packages/nvidia/*/lib"},
    {"CONDA_PREFIX", "/lib"},
    {"CONDA_PREFIX", "/lib/python3*/site-packages/nvidia/*/lib"},
    {"HOME", "/.local/lib/python3*/site-packages/nvidia/*/lib"},
    {NULL, "/usr/local/lib/python3*/dist-packages/nvidia/*/lib"},
    {NULL, "/usr/local/lib/python3*/site-packages/nvidia/*/lib"},
    {NULL, "/usr/lib/python3*/site-packages/nvidia/*/lib"},
    {NULL, "/usr/lib/python3/dist-packages/nvidia/*/lib"},
    {NULL, "/opt/*/lib/python3*/site-packages/nvidia/*/lib"},
    {NULL, "/opt/*/envs/*/lib/python3*/site-packages/nvidia/*/lib"},
};

/* The same below lists of folders: PYTHONPATH as it is; of PATH, what belongs to the python3 in it. */
static const struct folder lists[] = {
    {"PYTHONPATH", "/nvidia/*/lib"},
    {"PATH", "/../lib/python3*/site-packages/nvidia/*/lib"},
};

const char *library_title(enum library which) { return libraries[which].title; }
const char *library_variable(enum library which) { return libraries[which].variable; }

/* ---- opening one file ---- */

struct search {
  const struct place *place;
  void *handle;
  int driver_major;     // 0: of no interest
  bool second;          // round: for names that the driver may be too old for
  int folders;          // looked into
  struct strbuf reason; // of the last file that is there and does not load
};

static void companion_open(const struct place *place, const char *folder) {
  char pattern[PATH_MAX];
  glob_t found;
  if (!place->companion || snprintf(pattern, sizeof pattern, "%s/%s", folder, place->companion) >= (int)sizeof pattern) return;
  if (glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc) dlopen(found.gl_pathv[found.gl_pathc - 1], RTLD_NOW | RTLD_LOCAL);
  globfree(&found);
}

/* Is it this round's? "libnvrtc.so.13" is later than a driver of 12.4; of a name without a version nobody knows. */
static bool name_due(const struct search *search, const char *name) {
  const char *dot = strrchr(name, '.');
  int version = atoi(dot + 1);
  return (search->driver_major != 0 && (version == 0 || version > search->driver_major)) == search->second;
}

static bool file_open(struct search *search, const char *path) {
  search->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (search->handle) return true;
  const char *error = dlerror();
  strbuf_clear(&search->reason);
  strbuf_add(&search->reason, error ? error : "it does not load");
  return false;
}

static bool folder_look(struct search *search, const char *folder) {
  char path[PATH_MAX];
  search->folders++;
  for (const char *const *name = search->place->names; *name; name++) {
    if (!name_due(search, *name) || snprintf(path, sizeof path, "%s/%s", folder, *name) >= (int)sizeof path) continue;
    if (access(path, R_OK) != 0) continue;
    companion_open(search->place, folder);
    if (file_open(search, path)) return true;
  }
  return false;
}

/* Later versions sort behind earlier ones often enough: from the end. */
static bool pattern_look(struct search *search, const char *root, size_t root_length, const char *pattern) {
  char path[PATH_MAX];
  glob_t found;
  bool opened = false;
  if (snprintf(path, sizeof path, "%.*s%s", (int)root_length, root, pattern) >= (int)sizeof path) return false;
  if (glob(path, GLOB_ONLYDIR, NULL, &found) == 0)
    for (size_t i = found.gl_pathc; i-- && !opened;) opened = folder_look(search, found.gl_pathv[i]);
  globfree(&found);
  return opened;
}

static bool list_look(struct search *search, const struct folder *list) {
  const char *at = getenv(list->variable);
  while (at && *at) {
    size_t length = strcspn(at, ":");
    if (*at == '/' && pattern_look(search, at, length, list->pattern)) return true;
    at += length + (at[length] == ':');
  }
  return false;
}

static bool everywhere_look(struct search *search) {
  search->folders = 0;
  for (const char *const *name = search->place->names; *name; name++)
    if (name_due(search, *name) && (search->handle = dlopen(*name, RTLD_NOW | RTLD_LOCAL))) return true;
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    const char *root = folders[i].variable ? getenv(folders[i].variable) : "";
    if (root && (!folders[i].variable || *root == '/') && pattern_look(search, root, strlen(root), folders[i].pattern))
      return true;
  }
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    if (list_look(search, &lists[i])) return true;
  return false;
}

static enum farm_status not_found(const struct search *search) {
  struct strbuf names = {0};
  for (const char *const *name = search->place->names; *name; name++)
    strbuf_printf(&names, "%s%s", name == search->place->names ? "" : ", ", *name);
  const char *reason = strbuf_text(&search->reason);
  enum farm_status status = status_set(
      FARM_UNSUPPORTED, "no %s: tried %s by name and in %d folders of toolkits and Python wheels; %s can name it%s%s",
      search->place->title, strbuf_text(&names), search->folders, search->place->variable, *reason ? ": " : "", reason);
  strbuf_free(&names);
  return status;
}

static bool given_open(struct search *search, const char *given) {
  char folder[PATH_MAX];
  const char *slash = strrchr(given, '/');
  if (slash && snprintf(folder, sizeof folder, "%.*s", (int)(slash - given), given) < (int)sizeof folder)
    companion_open(search->place, folder);
  return file_open(search, given);
}

static enum farm_status handle_find(enum library which, int driver_major, void **out_handle) {
  struct search search = {.place = &libraries[which], .driver_major = driver_major};
  const char *given = getenv(search.place->variable);
  enum farm_status status = FARM_OK;
  bool found;
  if (given && *given) {
    if (!(found = given_open(&search, given)))
      status = status_set(FARM_UNSUPPORTED, "no %s: %s=%s: %s", search.place->title, search.place->variable, given,
                          strbuf_text(&search.reason));
  } else {
    found = everywhere_look(&search);
    search.second = driver_major != 0;
    if (!found && search.second) found = everywhere_look(&search);
    if (!found) status = not_found(&search);
  }
  strbuf_free(&search.reason);
  if (found) *out_handle = search.handle;
  return status;
}

/* Of the driver, if there is one: asked without starting it, which a process that will fork must not do. 0: unknown. */
static int driver_major(void) {
  void *handle, *symbol;
  int (*version_ask)(int *out_version);
  int version = 0;
  if (handle_find(LIBRARY_CUDA, 0, &handle) != FARM_OK || !(symbol = dlsym(handle, "cuDriverGetVersion"))) return 0;
  memcpy(&version_ask, &symbol, sizeof symbol);
  return version_ask(&version) == 0 ? version / 1000 : 0;
}

/* ---- its functions ---- */

static void file_of(void *handle, char out[PATH_MAX]) {
  struct link_map *map = NULL;
  snprintf(out, PATH_MAX, "%s", dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map ? map->l_name : "");
}

static enum farm_status functions_take(const struct library_table *table, void *handle, const char *file) {
  for (int i = 0; i < table->count; i++) {
    const struct library_function *row = &table->functions[i];
    void *function = dlsym(handle, row->name);
    FAIL_IF(!function && !row->optional, FARM_UNSUPPORTED, "%s: %s has no %s: too old, or something else",
            libraries[table->which].title, file, row->name);
    memcpy((char *)table->table + row->offset, &function, sizeof function);
  }
  return FARM_OK;
}

/* ---- once ---- */

static struct library_state {
  bool tried;
  enum farm_status status;
  char message[1024], file[PATH_MAX];
} states[LIBRARY_COUNT];
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

static enum farm_status library_begin(const struct library_table *table, struct library_state *state) {
  void *handle;
  TRY(handle_find(table->which, libraries[table->which].bound ? driver_major() : 0, &handle));
  file_of(handle, state->file);
  TRY(functions_take(table, handle, state->file));
  return table->begin ? table->begin() : FARM_OK;
}

enum farm_status library_once(const struct library_table *table) {
  pthread_mutex_lock(&opening);
  struct library_state *state = &states[table->which];
  if (!state->tried) {
    state->status = library_begin(table, state);
    if (state->status != FARM_OK) snprintf(state->message, sizeof state->message, "%s", status_message());
    state->tried = true;
  }
  enum farm_status status = state->status == FARM_OK ? FARM_OK : status_set(state->status, "%s", state->message);
  pthread_mutex_unlock(&opening);
  return status;
}

const char *library_file(enum library which) {
  pthread_mutex_lock(&opening);
  const char *file = states[which].file; // written once, before the first library_once returned
  pthread_mutex_unlock(&opening);
  return file;
}
