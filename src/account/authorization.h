/* The Authorization header taken apart (RFC 7235, 7617, 6750): which scheme, which credentials. */
#pragma once

#include "base/buf.h"

#define AUTHORIZATION_BYTES_MAX 8192
#define TOKEN_ID_DIGITS 16
#define TOKEN_SECRET_DIGITS 43 /* base64url of 32 bytes */

enum authorization_kind {
    AUTHORIZATION_NONE,   /* no header */
    AUTHORIZATION_BASIC,  /* name, password */
    AUTHORIZATION_BEARER, /* token_id, secret */
    AUTHORIZATION_BROKEN, /* another scheme, or not what its scheme asks for */
};

struct authorization {
    enum authorization_kind kind;
    slice name, password; /* borrowed from the scratch; any bytes but no ':' in the name */
    slice token_id;       /* TOKEN_ID_DIGITS hexadecimal digits; borrowed from the header */
    slice secret;         /* TOKEN_SECRET_DIGITS of the URL alphabet; borrowed from the header */
};

/* scratch: empty; takes the decoded bytes and never moves them, so that wiping it wipes all. */
struct authorization authorization_parse(slice header, struct buf *scratch);

/* "ent_" + id + "_" + secret. */
bool token_parse(slice text, slice *token_id, slice *secret);
