/* The parts that stand behind a URL and need a library of their own: brokers, databases, object
 * stores. They are in the binary, not in the library that programs embed. */
#ifndef CLI_OUTSIDE_H
#define CLI_OUTSIDE_H

/* Makes known what this build has, and what it could have had. Once, before anything else. */
void outside_register(void);

#endif
