/* Locks that cannot be had for another reason than that somebody has them: of file systems that know none. */
#include "place.h"

#include "../tests/kit/test.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

static int flock_error; // 0: the system's own

int flock(int fd, int operation) { // stands before the C library's in this program
  if (flock_error == 0) return (int)syscall(SYS_flock, fd, operation);
  errno = flock_error;
  return -1;
}

TEST(place_tells_why_a_lock_cannot_be_had, "") {
  static const int errors[] = {ENOLCK, EOPNOTSUPP};
  int fd = -1;
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    flock_error = errors[i];
    enum farm_status status = place_lock(test_folder(), &fd);
    CHECK_MESSAGE(status == FARM_IO && strstr(status_message(), strerror(errors[i])), "%s: %s", status_name(status),
                  status_message());
    CHECK(!place_is_locked(test_folder()) && fd == -1);
  }
}

TEST(place_of_another_coordinator_is_said_to_be, "") {
  int first = -1, second = -1;
  REQUIRE_OK(place_lock(test_folder(), &first));
  CHECK(place_is_locked(test_folder()) && place_lock(test_folder(), &second) == FARM_AGAIN && second == -1);
  close(first);
  CHECK(!place_is_locked(test_folder()));
  REQUIRE_OK(place_lock(test_folder(), &second));
  close(second);
}
