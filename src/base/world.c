#include "base/world.h"

#include "base/crypto.h"
#include "base/time.h"

#include "base/banned.h"

static int64_t real_now_us(void *context)
{
    (void)context;
    return time_now_us();
}

static uint64_t real_now_mono_ns(void *context)
{
    (void)context;
    return time_mono_ns();
}

static void real_random(void *context, void *out, size_t bytes)
{
    (void)context;
    random_bytes(out, bytes);
}

const struct world world_real = {real_now_us, real_now_mono_ns, real_random, NULL};
