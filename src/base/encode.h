/* Bytes as text and back: hexadecimal and base64 (RFC 4648). */
#pragma once

#include "base/buf.h"

void hex_encode(slice bytes, char *out); /* writes 2 * len lower-case digits, no NUL */
bool hex_decode(slice text, uint8_t *out, size_t out_bytes); /* exact length, any case */

void base64_encode(struct buf *out, slice bytes);    /* standard alphabet, padded */
void base64url_encode(struct buf *out, slice bytes); /* URL alphabet, no padding */
bool base64_decode(struct buf *out, slice text);     /* standard, padding required */
bool base64url_decode(struct buf *out, slice text);  /* URL alphabet, no padding */

/* Percent-decoding of one URL part; '+' stays '+'.  False on a broken escape. */
bool percent_decode(struct buf *out, slice text);
void percent_encode(struct buf *out, slice text); /* all but RFC 3986 unreserved */
