#include "account/names.h"

#include "base/banned.h"

static const struct {
    enum role role;
    slice name;
} roles[] = {
    {ROLE_ADMIN, S("admin")},   {ROLE_ANALYST, S("analyst")}, {ROLE_RELEASER, S("releaser")},
    {ROLE_READER, S("reader")}, {ROLE_SENSOR, S("sensor")},
};

#define ROLE_COUNT (sizeof(roles) / sizeof(roles[0]))

static bool role_find(slice name, unsigned *role)
{
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        if (slice_eq(roles[i].name, name)) {
            *role = roles[i].role;
            return true;
        }
    }
    return false;
}

bool role_parse(slice text, unsigned *out)
{
    unsigned all = 0, role;
    slice head, rest = text;
    bool more;

    do {
        more = slice_cut(rest, ',', &head, &rest);
        if (!role_find(slice_trim(head), &role))
            return false;
        all |= role;
    } while (more);
    *out = all;
    return true;
}

void role_format(unsigned set, struct buf *out)
{
    const char *comma = "";

    for (size_t i = 0; i < ROLE_COUNT; i++) {
        if ((set & roles[i].role) == 0)
            continue;
        buf_put(out, slice_text(comma));
        buf_put(out, roles[i].name);
        comma = ",";
    }
}

bool roles_may_write(unsigned set)
{
    return (set & ROLE_ADMIN) != 0 || (set & ROLE_READER) == 0;
}

result roles_check(unsigned set, struct diag *diag)
{
    unsigned all = 0;

    for (size_t i = 0; i < ROLE_COUNT; i++)
        all |= roles[i].role;
    if (set == 0 || (set & ~all) != 0)
        return diag_fail(diag, ERR_INVALID,
                         "an account takes one or more of the roles admin, analyst, releaser, "
                         "reader, sensor");
    return OK;
}

static bool starts_a_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool name_is_lawful(slice name)
{
    if (name.len == 0 || name.len > ACCOUNT_NAME_BYTES_MAX || !starts_a_name(name.at[0]))
        return false;
    for (size_t i = 1; i < name.len; i++) {
        char c = name.at[i];

        if (!starts_a_name(c) && c != '.' && c != '_' && c != '@' && c != '-')
            return false;
    }
    return true;
}

result name_check(slice name, struct diag *diag)
{
    if (!name_is_lawful(name))
        return diag_fail(diag, ERR_INVALID,
                         "\"%.*s\" is no account name: 1 to %d of a-z 0-9 . _ @ -, a letter or "
                         "digit first",
                         SLICE_ARG(slice_head(name, 2 * ACCOUNT_NAME_BYTES_MAX)),
                         ACCOUNT_NAME_BYTES_MAX);
    if (slice_eq(name, SLICE(ACCOUNT_ANONYMOUS)))
        return diag_fail(diag, ERR_INVALID,
                         "\"" ACCOUNT_ANONYMOUS "\" stands for requests without credentials");
    return OK;
}

result password_check(slice name, slice password, struct diag *diag)
{
    size_t letters = 0;

    if (!utf8_valid(password))
        return diag_fail(diag, ERR_INVALID, "the password is not UTF-8");
    for (size_t i = 0; i < password.len; i++)
        letters += ((uint8_t)password.at[i] & 0xC0) != 0x80; /* not inside a character */
    if (letters < PASSWORD_CHARACTERS_MIN)
        return diag_fail(diag, ERR_INVALID, "the password is too short: it takes %d characters",
                         PASSWORD_CHARACTERS_MIN);
    if (password.len > PASSWORD_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "the password is too long: it takes at most %d bytes",
                         PASSWORD_BYTES_MAX);
    if (slice_eq(name, password))
        return diag_fail(diag, ERR_INVALID, "the password is the account's name");
    return OK;
}

result label_check(slice label, struct diag *diag)
{
    if (label.len > ACCOUNT_NAME_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "the label is too long: it takes at most %d bytes",
                         ACCOUNT_NAME_BYTES_MAX);
    if (!utf8_valid(label))
        return diag_fail(diag, ERR_INVALID, "the label is not UTF-8");
    for (size_t i = 0; i < label.len; i++) {
        if ((uint8_t)label.at[i] < 0x20 || label.at[i] == 0x7F)
            return diag_fail(diag, ERR_INVALID, "the label holds a control character");
    }
    return OK;
}
