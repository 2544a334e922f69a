/* Include last: names that have no place in this program. */
#pragma once

/* glibc makes macros of these for other compilers than GCC; a macro cannot be poisoned. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol atoll atof gets
#pragma GCC poison gmtime localtime ctime asctime rand srand random_r drand48 tmpnam mktemp
