//! Patterns of instance ids, and selections made of them. Where the ids come from is not known here.

use std::fmt;

use wildmatch::WildMatch;

use crate::model::InstanceId;

/// A glob over a whole id, in which capitals count: `*` is any run of characters, the empty one too, `?` is one
/// character, and everything else is itself, brackets and braces too. Prints with each run of `*` as one.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern(WildMatch);

/// Which ids count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Ids that match one of these count; all do if there is none.
    pub include: Vec<Pattern>,
    /// But none that matches one of these.
    pub exclude: Vec<Pattern>,
}

impl Pattern {
    /// Whether the whole id matches.
    pub fn matches(&self, id: &InstanceId) -> bool {
        self.0.matches(id.as_str())
    }
}

// The library's type compares texts, and only lacks the word for it.
impl Eq for Pattern {}

impl From<&str> for Pattern {
    fn from(pattern: &str) -> Self {
        Self(WildMatch::new(pattern))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Selection {
    /// Whether an id counts.
    pub fn takes(&self, id: &InstanceId) -> bool {
        let matches = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(id));
        (self.include.is_empty() || matches(&self.include)) && !matches(&self.exclude)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, id: &str) -> bool {
        Pattern::from(pattern).matches(&InstanceId::from(id))
    }

    fn selection(include: &[&str], exclude: &[&str]) -> Selection {
        let patterns = |texts: &[&str]| texts.iter().map(|text| Pattern::from(*text)).collect();
        Selection {
            include: patterns(include),
            exclude: patterns(exclude),
        }
    }

    fn takes(selection: &Selection, id: &str) -> bool {
        selection.takes(&InstanceId::from(id))
    }

    /// What the words say, tried out in every way.
    fn reference(pattern: &[char], id: &[char]) -> bool {
        match pattern {
            [] => id.is_empty(),
            ['*', rest @ ..] => (0..=id.len()).any(|run| reference(rest, &id[run..])),
            ['?', rest @ ..] => !id.is_empty() && reference(rest, &id[1..]),
            [character, rest @ ..] => id.first() == Some(character) && reference(rest, &id[1..]),
        }
    }

    #[test]
    fn a_star_is_any_run_even_an_empty_one() {
        assert!(matches("cas-member-*", "cas-member-1"));
        assert!(matches("cas-member-*", "cas-member-"));
        assert!(matches("*", ""));
        assert!(matches("*-lab-*", "cas-lab-member-lab-1"));
    }

    #[test]
    fn a_question_mark_is_exactly_one_character() {
        assert!(matches("ca-?", "ca-1"));
        assert!(matches("ca-?", "ca-é"));
        assert!(!matches("ca-?", "ca-"));
        assert!(!matches("ca-?", "ca-12"));
    }

    #[test]
    fn the_whole_id_has_to_match() {
        assert!(!matches("member", "cas-member-1"));
        assert!(!matches("cas-", "cas-member-1"));
        assert!(!matches("*-1", "cas-member-12"));
    }

    #[test]
    fn nothing_else_is_special() {
        for pattern in ["[ab]", "[!a]", "{a,b}", "a|b", "a\\", "a.", "^a$", "a+", "!a"] {
            assert!(matches(pattern, pattern), "{pattern}");
            assert!(!matches(pattern, "a") && !matches(pattern, "b"), "{pattern}");
        }
        assert!(!matches("\\*", "*"));
    }

    #[test]
    fn capitals_count() {
        assert!(!matches("cas-*", "CAS-1"));
    }

    #[test]
    fn an_id_that_has_stars_itself_is_an_id_like_any_other() {
        assert!(matches("cas-member-????", "cas-member-****"));
        assert!(!matches("cas-member-1234", "cas-member-****"));
    }

    #[test]
    fn a_selection_of_nothing_takes_everything() {
        assert!(takes(&Selection::default(), "cas-member-1"));
    }

    #[test]
    fn a_selection_takes_what_any_of_its_patterns_includes() {
        let selection = selection(&["cas-member-*", "cas_deposit-*"], &[]);
        assert!(takes(&selection, "cas-member-1"));
        assert!(takes(&selection, "cas_deposit-1"));
        assert!(!takes(&selection, "cas-root-1"));
    }

    #[test]
    fn what_is_excluded_is_not_taken_even_if_it_is_included() {
        let both = selection(&["cas-member-*"], &["*-lab-*", "*-test"]);
        assert!(takes(&both, "cas-member-1"));
        assert!(!takes(&both, "cas-member-lab-1"));
        assert!(!takes(&both, "cas-member-test"));
        let excluding = selection(&[], &["*-lab-*"]);
        assert!(takes(&excluding, "cas-member-1"));
        assert!(!takes(&excluding, "cas-member-lab-1"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        #[test]
        fn a_pattern_matches_what_trying_every_run_would_match(
            pattern in "[ab*?]{0,8}|[aé*?\\[\\]{}!,^\\\\-]{0,8}",
            id in "[ab]{0,10}|[aé*?\\[\\]{}!,^\\\\-]{0,6}",
        ) {
            let characters = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(
                matches(&pattern, &id),
                reference(&characters(&pattern), &characters(&id))
            );
        }
    }
}
