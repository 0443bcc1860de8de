#pragma once
#include <pthread.h>
#include <sched.h>
