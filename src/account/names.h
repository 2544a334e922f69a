/* What names, roles, passwords and labels may be. */
#pragma once

#include "account/account.h"

bool name_is_lawful(slice name);                           /* as to its letters */
MUST_USE result name_check(slice name, struct diag *diag); /* of an account to be made */
MUST_USE result password_check(slice name, slice password, struct diag *diag);
MUST_USE result label_check(slice label, struct diag *diag);
MUST_USE result roles_check(unsigned set, struct diag *diag);

/* A reader never writes, whatever else it is, unless it is an admin. */
bool roles_may_write(unsigned set);
