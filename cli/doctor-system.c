/* Where files lie, which libraries there are. */
#include "doctor.h"

#include "local-farm.h"

#include "../tactic-cache/store.h"

#include <errno.h>
#include <lmdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <zmq.h>
#include <zstd.h>

/* ---- the cache folder ---- */

static const char *filesystem_name(uint64_t magic) {
  static const struct {
    uint64_t magic;
    const char *name;
  } known[] = {{0xef53, "ext"},         {0x58465342, "xfs"}, {0x9123683e, "btrfs"}, {0x01021994, "tmpfs"},
               {0x794c7630, "overlay"}, {0x2fc12fc1, "zfs"}, {0xf2f52010, "f2fs"}};
  const char *network = store_network_filesystem(magic);
  for (size_t i = 0; !network && i < sizeof known / sizeof *known; i++)
    if (known[i].magic == magic) return known[i].name;
  return network ? network : "other";
}

/* The folder itself or, where it is still to be made, the nearest one above that exists. */
static void existing_above(const char *folder, char out[PATH_MAX]) {
  struct stat info;
  snprintf(out, PATH_MAX, "%s", folder);
  while (stat(out, &info) != 0) {
    char *slash = strrchr(out, '/');
    if (!slash)
      snprintf(out, PATH_MAX, ".");
    else if (slash == out)
      out[1] = 0;
    else
      *slash = 0;
    if (!slash || slash == out) return;
  }
}

static void storage_judge(struct doctor *doctor, const char *folder, const char *above, uint64_t magic, double free_bytes) {
  struct stat info;
  const char *network = store_network_filesystem(magic);
  if (network)
    doctor_problem(doctor, DOCTOR_ERROR,
                   "put it on a local disk: --cache DIR or XDG_CACHE_HOME; share records with `cache export` and `import`",
                   "%s is on %s: the cache cannot be kept on a network file system", folder, network);
  if (stat(above, &info) == 0 && !S_ISDIR(info.st_mode))
    doctor_problem(doctor, DOCTOR_ERROR, "choose another --cache DIR", "%s is no folder", above);
  else if (access(above, W_OK | X_OK) != 0)
    doctor_problem(doctor, DOCTOR_ERROR, "choose another --cache DIR", "%s: cannot write there", above);
  if (free_bytes < 16e6)
    doctor_problem(doctor, DOCTOR_ERROR, "make room", "%s: %.0f MB free", above, free_bytes * 1e-6);
  else if (free_bytes < 512e6)
    doctor_problem(doctor, DOCTOR_WARNING, "make room", "%s: only %.0f MB free", above, free_bytes * 1e-6);
  if (magic == 0x01021994)
    doctor_problem(doctor, DOCTOR_NOTE, "choose a folder on a disk",
                   "%s is in memory: what was measured is lost at the next boot", folder);
}

/* ---- sockets and locks ---- */

static bool is_private_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == getuid() && (info.st_mode & 077) == 0;
}

static void runtime_describe(struct doctor *doctor) {
  const char *given = getenv("XDG_RUNTIME_DIR"), *locks = getenv("TUNEFARM_LOCKS");
  char fallback[64];
  struct stat info;
  struct rlimit files = {0};
  snprintf(fallback, sizeof fallback, "/tmp/tunefarm-%u", (unsigned)getuid());
  bool usable = given && *given == '/' && strlen(given) < 60 && is_private_folder(given);
  getrlimit(RLIMIT_NOFILE, &files);
  if (!locks || !*locks) locks = "/tmp/tunefarm-cores";
  json_object_set_new(doctor->root, "runtime",
                      json_pack("{s:o,s:b,s:o,s:o,s:I}", "xdg_runtime_dir", given ? report_text(given) : json_null(), "usable",
                                usable, "sockets", report_text(usable ? given : fallback), "core_locks", report_text(locks),
                                "open_files", (json_int_t)files.rlim_cur));
  if (given && !usable)
    doctor_problem(doctor, DOCTOR_NOTE, "give it mode 0700 and yourself as owner",
                   "XDG_RUNTIME_DIR %s is not a short, private folder of yours: %s is used", given, fallback);
  if (!usable && lstat(fallback, &info) == 0 && !is_private_folder(fallback))
    doctor_problem(doctor, DOCTOR_ERROR, "remove it, or set XDG_RUNTIME_DIR", "%s is not a private folder of yours (mode 0700)",
                   fallback);
  if (stat(locks, &info) == 0 && access(locks, W_OK | X_OK) != 0)
    doctor_problem(doctor, DOCTOR_ERROR, "give it mode 1777, or set TUNEFARM_LOCKS", "%s: cannot make core locks there", locks);
  if (files.rlim_cur < 256)
    doctor_problem(doctor, DOCTOR_WARNING, "ulimit -n 1024", "at most %llu open files", (unsigned long long)files.rlim_cur);
}

enum farm_status doctor_storage(struct doctor *doctor, const char *cache) {
  char folder[PATH_MAX], above[PATH_MAX];
  struct statfs info = {0};
  TRY(local_farm_folder(cache, folder));
  existing_above(folder, above);
  FAIL_IF(statfs(above, &info) != 0, FARM_IO, "%s: %s", above, strerror(errno));
  double free_bytes = (double)info.f_bavail * (double)info.f_bsize;
  uint64_t magic = (uint64_t)info.f_type & 0xffffffffu;
  json_object_set_new(doctor->root, "storage",
                      json_pack("{s:o,s:b,s:s,s:f}", "cache", report_text(folder), "exists", strcmp(folder, above) == 0,
                                "filesystem", filesystem_name(magic), "free_bytes", free_bytes));
  storage_judge(doctor, folder, above, magic, free_bytes);
  runtime_describe(doctor);
  return FARM_OK;
}

/* ---- libraries ---- */

enum farm_status doctor_libraries(struct doctor *doctor) {
  int major, minor, patch;
  char zmq[48], lmdb[48];
  zmq_version(&major, &minor, &patch);
  snprintf(zmq, sizeof zmq, "%d.%d.%d", major, minor, patch);
  mdb_version(&major, &minor, &patch);
  snprintf(lmdb, sizeof lmdb, "%d.%d.%d", major, minor, patch);
  json_object_set_new(doctor->root, "libraries",
                      json_pack("{s:s,s:s,s:s,s:s,s:s,s:b}", "libzmq", zmq, "lmdb", lmdb, "libsodium", sodium_version_string(),
                                "zstd", ZSTD_versionString(), "jansson", JANSSON_VERSION, "libzmq_curve", zmq_has("curve")));
  return FARM_OK;
}
