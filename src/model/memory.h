/* How much memory there is to use, and how to say so. */
#ifndef MODEL_MEMORY_H
#define MODEL_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that can be had without swapping: the least of what the machine has available and what this
 * process's control group has left. UINT64_MAX where the system does not say. */
uint64_t memory_available(void);

enum { MEMORY_TEXT = 32 };

/* "6.7 GB", "512 MB", into buf; returns it. */
const char *memory_text(char buf[MEMORY_TEXT], uint64_t bytes);

/* 40981 as "40,981". */
const char *memory_count(char buf[MEMORY_TEXT], uint64_t n);

#endif
