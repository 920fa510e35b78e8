package main

import "syscall"

// openFiles is how many files this process may have open; 0: nobody knows.
func openFiles() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int(min(limit.Cur, 1<<30)) // which is as good as no limit
}
