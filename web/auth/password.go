package auth

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds of a password. There are no rules of composition: length is what counts.
const (
	minPassword = 15 // characters, without a second factor
	maxPassword = 1024
)

// CheckPassword says in one sentence why a password cannot be taken; nil when it can.
func CheckPassword(password, email string) error {
	lower := strings.ToLower(password)
	name, _, _ := strings.Cut(strings.ToLower(email), "@")
	switch n := utf8.RuneCountInString(password); {
	case !utf8.ValidString(password):
		return errors.New("the password is not valid text")
	case n < minPassword:
		return fmt.Errorf("the password has %d characters and needs at least %d: a few words in a row are fine", n, minPassword)
	case len(password) > maxPassword:
		return fmt.Errorf("the password is longer than %d bytes", maxPassword)
	case distinct(lower) < 6:
		return errors.New("the password repeats too few characters: a few words in a row are fine")
	case len(name) >= 4 && strings.Contains(lower, name):
		return errors.New("the password contains the email's name: choose words that have nothing to do with it")
	}
	for _, c := range common {
		if strings.ReplaceAll(lower, " ", "") == c {
			return errors.New("the password is on the list of common ones: choose words of your own")
		}
	}
	return nil
}

func distinct(s string) int {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen)
}

// common are the long ones that every guesser tries first.
var common = []string{
	"123456789012345", "1234567890123456", "12345678901234567890", "passwordpassword", "password12345678", "password123456789",
	"qwertyuiopasdfgh", "qwertyuiopasdfghjkl", "qwertyuiopasdfghjklzxcvbnm", "1q2w3e4r5t6y7u8i", "1q2w3e4r5t6y7u8i9o0p",
	"abcdefghijklmnop", "abcdefghijklmnopqrstuvwxyz", "correcthorsebatterystaple", "letmeinletmein12", "iloveyouiloveyou",
	"administrator123", "administratoradministrator", "welcometocarebell", "carebellcarebell", "thisisapassword", "thisismypassword",
}
