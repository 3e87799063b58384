/* See child-protocol.h. */
#include "child-protocol.h"

#include "../base/array.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEND_WAIT_MS = 10000 };

static enum farm_status send_all(int fd, const uint8_t *data, size_t length) {
  for (size_t at = 0; at < length;) {
    ssize_t sent = send(fd, data + at, length - at, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) { // the reader is slow, or not reading any more
      FAIL_IF(poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, SEND_WAIT_MS) == 0, FARM_WORKER_LOST,
              "the measuring child does not listen");
      continue;
    }
    FAIL_IF(sent < 0, FARM_WORKER_LOST, "the other side of the measuring child is gone: %s", strerror(errno));
    at += (size_t)sent;
  }
  return FARM_OK;
}

enum farm_status child_frame_send(int fd, enum child_frame_type type, const void *body, size_t length) {
  FAIL_IF(length + 1 > CHILD_FRAME_MOST_BYTES, FARM_INVALID, "a frame of %zu bytes for the measuring child", length);
  struct bytes_writer frame = {0};
  bytes_put_u32(&frame, (uint32_t)length + 1);
  bytes_put_u8(&frame, (uint8_t)type);
  bytes_put(&frame, body, length);
  enum farm_status status =
      frame.failed ? status_set(FARM_NO_MEMORY, "out of memory for a frame") : send_all(fd, frame.data, frame.length);
  bytes_writer_free(&frame);
  return status;
}

enum farm_status child_reader_fill(struct child_reader *reader, int fd) {
  if (reader->consumed) memmove(reader->data, reader->data + reader->consumed, reader->length - reader->consumed);
  reader->length -= reader->consumed;
  reader->consumed = 0;
  TRY(array_reserve(&reader->data, &reader->capacity, reader->length + 65536));
  ssize_t got;
  do got = recv(fd, reader->data + reader->length, 65536, 0);
  while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return FARM_AGAIN;
  FAIL_IF(got <= 0, FARM_WORKER_LOST, "the measuring child's connection is closed");
  reader->length += (size_t)got;
  return FARM_OK;
}

bool child_reader_next(struct child_reader *reader, struct child_frame *out_frame, enum farm_status *out_status) {
  struct bytes_reader bytes = bytes_reader_of(reader->data + reader->consumed, reader->length - reader->consumed);
  *out_status = FARM_OK;
  if (bytes.length < 5) return false;
  uint32_t length = bytes_get_u32(&bytes);
  if (length < 1 || length > CHILD_FRAME_MOST_BYTES) {
    *out_status = status_set(FARM_INVALID, "the measuring child sent a frame of %u bytes", length);
    return false;
  }
  if (bytes.length - 4 < length) return false;
  out_frame->type = (enum child_frame_type)bytes_get_u8(&bytes);
  out_frame->body = bytes.data + 5;
  out_frame->length = length - 1;
  reader->consumed += 4 + (size_t)length;
  return true;
}

void child_reader_free(struct child_reader *reader) {
  free(reader->data);
  *reader = (struct child_reader){0};
}
