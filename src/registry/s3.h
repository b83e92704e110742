/* Models in a bucket of S3, or of what speaks like it: "s3://BUCKET/PREFIX", with
 * "?endpoint=http://HOST:PORT" for another server than Amazon's, "region=…" and "cache=FOLDER".
 *
 *     PREFIX/CURRENT                "000007 HASH": the live version, switched by a conditional
 * write PREFIX/000007/.claim          makes the number one trainer's: written only if it is not
 * there PREFIX/000007/als.safetensors one object per file of the version PREFIX/000007/files.json
 * their names, sizes and SHA-256 sums PREFIX/000007/manifest.json   comes last: without it there is
 * no version
 *
 * Keys come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. The server must
 * keep to If-None-Match and If-Match on writes; registry_begin sees whether it does. What is read
 * is copied to a folder of this machine (cache=, PALATE_MODELS_CACHE, or palate/models in the
 * user's cache folder), which keeps the last few versions; a copy is whole and has its sums, or it
 * is not there. */
#ifndef REGISTRY_S3_H
#define REGISTRY_S3_H

#include "registry/registry.h"

extern const struct registry_ops registry_s3;

#endif
