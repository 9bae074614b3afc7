package main

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	mustBeGiven = 0
	highestSize = 64 << 20            // [bytes]
	longestIdle = 24 * 60 * 60 * 1000 // [ms]
	highestPort = 65535
)

type usageError string

func (e usageError) Error() string { return string(e) }

// A setting is a number from 1 to highest.
type setting struct {
	name      string
	otherwise int
	highest   int
}

type settings map[string]int

func readSettings(known []setting, arguments []string) (settings, error) {
	given := settings{}
	for _, argument := range arguments {
		name, value, found := strings.Cut(argument, "=")
		if !found {
			return nil, usageError(fmt.Sprintf("'%s' is not NAME=VALUE", argument))
		}
		if err := given.read(known, name, value); err != nil {
			return nil, err
		}
	}
	return given, given.complete(known)
}

func (s settings) read(known []setting, name, value string) error {
	if _, twice := s[name]; twice {
		return usageError(name + " is given twice")
	}
	for _, setting := range known {
		if setting.name != name {
			continue
		}
		number, err := strconv.Atoi(value)
		if err != nil || number < 1 || number > setting.highest {
			return usageError(fmt.Sprintf("%s=%s: it must be a number from 1 to %d", name, value, setting.highest))
		}
		s[name] = number
		return nil
	}
	return usageError(fmt.Sprintf("'%s' is no setting of this server", name))
}

func (s settings) complete(known []setting) error {
	for _, setting := range known {
		if _, given := s[setting.name]; given {
			continue
		}
		if setting.otherwise == mustBeGiven {
			return usageError(setting.name + "= is missing")
		}
		s[setting.name] = setting.otherwise
	}
	return nil
}
