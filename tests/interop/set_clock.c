// Preloaded into one kithd, sets its wall clock: what the kernel says and so many seconds more as the file KITH_TEST_CLOCK says. The
// monotonic clock is left alone, as it is when somebody sets a machine's. No memory is taken and no symbol looked up, so that it also
// works in a build whose sanitizers ask for the time before they can do either (libfaketime does not).
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long seconds_ahead(void) {
  const char* file = getenv("KITH_TEST_CLOCK");
  if (file == NULL) return 0;
  const int descriptor = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC, 0);
  if (descriptor < 0) return 0;
  char text[32] = {0};
  const long length = syscall(SYS_read, descriptor, text, sizeof text - 1);
  syscall(SYS_close, descriptor);
  return length > 0 ? atoll(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  const int result = (int)syscall(SYS_clock_gettime, clock, now);
  if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += seconds_ahead();
  return result;
}
