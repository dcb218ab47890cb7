"""The tutor: it answers from what a learner may see, by a language model or by finding and quoting."""
