//! How the demo tells what it does.

use std::fmt;

use crate::cli::{
    Failure, Screen,
    screen::{ALERT, FAINT, HEADING, LITERAL},
};

/// A numbered telling.
#[derive(Debug)]
pub(super) struct Story<'a> {
    screen: &'a mut Screen,
    chapter: u32,
}

impl<'a> Story<'a> {
    pub(super) const fn new(screen: &'a mut Screen) -> Self {
        Self { screen, chapter: 0 }
    }

    /// Begins the next chapter.
    pub(super) fn chapter(&mut self, title: &str) -> Result<(), Failure> {
        self.chapter = self.chapter.saturating_add(1);
        self.screen.line(format_args!("\n{HEADING}{}. {title}{HEADING:#}", self.chapter))
    }

    /// Begins a part without a number.
    pub(super) fn part(&mut self, title: &str) -> Result<(), Failure> {
        self.screen.line(format_args!("\n{HEADING}{title}{HEADING:#}"))
    }

    /// Says what is about to be called, and why.
    pub(super) fn call(&mut self, rpc: &str, why: &str) -> Result<(), Failure> {
        self.screen.line(format_args!("   {LITERAL}{rpc}{LITERAL:#} {FAINT}{why}{FAINT:#}"))
    }

    /// Says what came of it.
    pub(super) fn outcome(&mut self, text: impl fmt::Display) -> Result<(), Failure> {
        self.screen.line(format_args!("   -> {text}"))
    }

    /// Says what was refused, as it should be.
    pub(super) fn refusal(&mut self, text: impl fmt::Display) -> Result<(), Failure> {
        self.screen.line(format_args!("   -> {ALERT}{text}{ALERT:#}"))
    }

    /// Prints lines as they are, indented.
    pub(super) fn block(&mut self, text: &str) -> Result<(), Failure> {
        text.lines().try_for_each(|line| self.screen.line(format_args!("   {line}")))
    }

    /// Prints something to type, below what it is good for.
    pub(super) fn suggestion(&mut self, purpose: &str, command: &str) -> Result<(), Failure> {
        self.screen.line(format_args!("   {FAINT}# {purpose}{FAINT:#}"))?;
        self.screen.line(format_args!("   {LITERAL}{command}{LITERAL:#}"))
    }

    /// Lends the screen to somebody who prints by himself.
    pub(super) const fn screen(&mut self) -> &mut Screen {
        self.screen
    }
}

/// Fails the demo because the server did not do what it promises.
pub(super) fn broken_promise(promise: &str) -> Failure {
    Failure::Unexpected(format!("the server broke a promise: {promise}"))
}
