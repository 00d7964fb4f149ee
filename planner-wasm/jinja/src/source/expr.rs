//! Expressions: parsed by Jinja2's grammar and written again for the engine.
//!
//! The engine's own lists and dicts cannot change and its operators know no Python: so literals become calls that make
//! our objects, and `+ - * %` and slices become calls of our operators. All else is written as it was.
//! Not here: what the calls do.

use super::SyntaxError;
use super::lex::{Spanned, Token};

/// Deeper nesting is refused: the parser's stack is finite.
const DEPTH: usize = 80;

/// Methods of dicts that are also likely names of keys.
const METHODS: [&str; 9] = ["items", "keys", "values", "get", "pop", "update", "copy", "setdefault", "clear"];

/// Rewritten text with the place of its tokens: byte offset in `text` to byte offset in the source.
#[derive(Debug, Clone, Default)]
pub struct Text {
    pub text: String,
    pub places: Vec<(usize, usize)>,
}

impl Text {
    pub fn at(text: impl Into<String>, source: usize) -> Self {
        Self { text: text.into(), places: vec![(0, source)] }
    }
    pub fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }
    pub fn add(&mut self, other: Text) {
        let by = self.text.len();
        self.text.push_str(&other.text);
        self.places.extend(other.places.into_iter().map(|(out, source)| (out + by, source)));
    }
    fn wrapped(before: &str, inner: Text, after: &str) -> Self {
        let mut out = Self::default();
        out.raw(before);
        out.add(inner);
        out.raw(after);
        out
    }
    fn call(function: &str, arguments: Vec<Text>) -> Self {
        let mut out = Self::default();
        out.raw(function);
        out.raw("(");
        for (i, argument) in arguments.into_iter().enumerate() {
            if i > 0 {
                out.raw(", ");
            }
            out.add(argument);
        }
        out.raw(")");
        out
    }
}

pub struct Parser<'a> {
    tokens: &'a [Spanned],
    pos: usize,
    /// Where the tag ends: the place of "something is missing".
    end: usize,
    depth: usize,
    /// Every name read.
    pub names: Vec<String>,
}

type Out = Result<Text, SyntaxError>;

impl<'a> Parser<'a> {
    pub fn new(tokens: &'a [Spanned], end: usize) -> Self {
        Self { tokens, pos: 0, end, depth: 0, names: Vec::new() }
    }
    pub fn done(&self) -> bool {
        self.pos >= self.tokens.len()
    }
    pub fn here(&self) -> usize {
        self.tokens.get(self.pos).map_or(self.end, |t| t.at.start)
    }
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.pos).map(|t| &t.token)
    }
    pub fn next(&mut self) -> Option<&'a Spanned> {
        let token = self.tokens.get(self.pos);
        self.pos += 1;
        token
    }
    pub fn is_op(&self, op: &str) -> bool {
        matches!(self.peek(), Some(Token::Op(o)) if *o == op)
    }
    pub fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(n)) if n == name)
    }
    pub fn take_op(&mut self, op: &str) -> bool {
        let found = self.is_op(op);
        self.pos += usize::from(found);
        found
    }
    pub fn take_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        self.pos += usize::from(found);
        found
    }
    pub fn expect_op(&mut self, op: &str) -> Result<(), SyntaxError> {
        if self.take_op(op) { Ok(()) } else { Err(self.unexpected(&format!("`{op}`"))) }
    }
    pub fn name(&mut self) -> Result<String, SyntaxError> {
        match self.peek() {
            Some(Token::Name(name)) => {
                self.pos += 1;
                Ok(name.clone())
            }
            _ => Err(self.unexpected("a name")),
        }
    }
    pub fn unexpected(&self, wanted: &str) -> SyntaxError {
        let found = match self.peek() {
            None => "the end of the tag".to_owned(),
            Some(Token::Name(n)) => format!("`{n}`"),
            Some(Token::Number(n)) => format!("`{n}`"),
            Some(Token::Text(_)) => "a string".to_owned(),
            Some(Token::Op(o)) => format!("`{o}`"),
        };
        SyntaxError::new(self.here(), format!("expected {wanted}, found {found}"))
    }
    pub fn finish(&self) -> Result<(), SyntaxError> {
        if self.done() { Ok(()) } else { Err(self.unexpected("the end of the tag")) }
    }

    /// Expressions separated by commas make a tuple without parentheses.
    pub fn tuple(&mut self, with_condition: bool) -> Out {
        let first = if with_condition { self.expression()? } else { self.or()? };
        if !self.is_op(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.take_op(",") {
            if self.done() || self.is_op("=") || self.is_name("in") || self.is_op(")") {
                break;
            }
            items.push(if with_condition { self.expression()? } else { self.or()? });
        }
        Ok(tuple_of(items))
    }

    pub fn expression(&mut self) -> Out {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(SyntaxError::new(self.here(), format!("the expression is nested deeper than {DEPTH} levels")));
        }
        let mut value = self.or()?;
        while self.take_name("if") {
            let mut out = Text::default();
            out.raw("(");
            out.add(value);
            out.raw(" if ");
            out.add(self.or()?);
            if self.take_name("else") {
                out.raw(" else ");
                out.add(self.expression()?);
            }
            out.raw(")");
            value = out;
        }
        self.depth -= 1;
        Ok(value)
    }

    pub fn or(&mut self) -> Out {
        let first = self.and()?;
        self.infix(first, "or", Self::and)
    }
    fn and(&mut self) -> Out {
        let first = self.not()?;
        self.infix(first, "and", Self::not)
    }
    fn infix(&mut self, first: Text, word: &str, operand: fn(&mut Self) -> Out) -> Out {
        if !self.is_name(word) {
            return Ok(first);
        }
        let mut out = Text::wrapped("(", first, "");
        while self.take_name(word) {
            out.raw(&format!(" {word} "));
            out.add(operand(self)?);
        }
        out.raw(")");
        Ok(out)
    }
    fn not(&mut self) -> Out {
        if self.take_name("not") {
            self.depth += 1;
            if self.depth > DEPTH {
                return Err(SyntaxError::new(self.here(), "too many `not`"));
            }
            let inner = self.not()?;
            self.depth -= 1;
            return Ok(Text::wrapped("(not ", inner, ")"));
        }
        self.comparison()
    }
    fn comparison(&mut self) -> Out {
        let first = self.sum()?;
        let mut out = None;
        let mut rest = Text::default();
        loop {
            let operator = match self.peek() {
                Some(Token::Op(op)) if matches!(*op, "==" | "!=" | "<" | "<=" | ">" | ">=") => (*op).to_owned(),
                Some(Token::Name(n)) if n == "in" => "in".to_owned(),
                Some(Token::Name(n)) if n == "not" && matches!(self.tokens.get(self.pos + 1).map(|t| &t.token), Some(Token::Name(n)) if n == "in") => {
                    self.pos += 1;
                    "not in".to_owned()
                }
                _ => break,
            };
            self.pos += 1;
            rest.raw(&format!(" {operator} "));
            rest.add(self.sum()?);
            out = Some(());
        }
        if out.is_none() {
            return Ok(first);
        }
        let mut all = Text::wrapped("(", first, "");
        all.add(rest);
        all.raw(")");
        Ok(all)
    }
    fn sum(&mut self) -> Out {
        let mut left = self.concat()?;
        loop {
            let function = if self.take_op("+") {
                "__add"
            } else if self.take_op("-") {
                "__sub"
            } else {
                return Ok(left);
            };
            // A long sum stays flat: `a + b + c` is one call.
            let mut arguments = vec![left, self.concat()?];
            let op = if function == "__add" { "+" } else { "-" };
            while self.take_op(op) {
                arguments.push(self.concat()?);
            }
            left = Text::call(function, arguments);
        }
    }
    fn concat(&mut self) -> Out {
        let first = self.product()?;
        if !self.is_op("~") {
            return Ok(first);
        }
        let mut out = Text::wrapped("(", first, "");
        while self.take_op("~") {
            out.raw(" ~ ");
            out.add(self.product()?);
        }
        out.raw(")");
        Ok(out)
    }
    fn product(&mut self) -> Out {
        let names = self.names.len();
        let mut left = self.power()?;
        loop {
            left = if self.take_op("*") {
                let right = self.power()?;
                // Jinja2 folds constants: `[[]] * 2` is then two lists, not one list twice.
                Text::call(if self.names.len() == names { "__mul_constant" } else { "__mul" }, vec![left, right])
            } else if self.take_op("%") {
                Text::call("__mod", vec![left, self.power()?])
            } else if self.is_op("/") || self.is_op("//") {
                let operator = if self.take_op("//") { " // " } else { " / " };
                self.take_op("/");
                let mut out = Text::wrapped("(", left, operator);
                out.add(self.power()?);
                out.raw(")");
                out
            } else {
                return Ok(left);
            };
        }
    }
    fn power(&mut self) -> Out {
        let mut left = self.unary(true)?;
        while self.take_op("**") {
            let mut out = Text::wrapped("(", left, " ** ");
            out.add(self.unary(true)?);
            out.raw(")");
            left = out;
        }
        Ok(left)
    }
    fn unary(&mut self, with_filter: bool) -> Out {
        let node = if self.take_op("-") {
            Text::wrapped("(-", self.deeper(|p| p.unary(false))?, ")")
        } else if self.take_op("+") {
            self.deeper(|p| p.unary(false))?
        } else {
            self.primary()?
        };
        let node = self.postfix(node)?;
        if with_filter { self.filters(node) } else { Ok(node) }
    }
    fn deeper(&mut self, f: impl FnOnce(&mut Self) -> Out) -> Out {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(SyntaxError::new(self.here(), format!("the expression is nested deeper than {DEPTH} levels")));
        }
        let out = f(self);
        self.depth -= 1;
        out
    }

    fn primary(&mut self) -> Out {
        let Some(spanned) = self.next() else {
            self.pos -= 1;
            return Err(self.unexpected("an expression"));
        };
        let at = spanned.at.start;
        match &spanned.token {
            Token::Name(name) => {
                let word = match name.as_str() {
                    "True" => "true",
                    "False" => "false",
                    "None" => "none",
                    other => other,
                };
                self.names.push(word.to_owned());
                Ok(Text::at(word, at))
            }
            Token::Number(number) => Ok(Text::at(number.clone(), at)),
            Token::Text(text) => {
                let mut all = text.clone();
                while let Some(Token::Text(more)) = self.peek() {
                    all.push_str(more);
                    self.pos += 1;
                }
                Ok(Text::at(quoted(&all), at))
            }
            Token::Op("(") => self.deeper(|p| p.parenthesised()),
            Token::Op("[") => self.deeper(|p| Ok(Text::call("__list", p.items("]")?))),
            Token::Op("{") => self.deeper(|p| p.mapping()),
            Token::Op(_) => {
                self.pos -= 1;
                Err(self.unexpected("an expression"))
            }
        }
    }
    fn parenthesised(&mut self) -> Out {
        if self.take_op(")") {
            return Ok(Text::call("__tuple", Vec::new()));
        }
        let first = self.expression()?;
        if self.take_op(")") {
            return Ok(Text::wrapped("(", first, ")"));
        }
        self.expect_op(",")?;
        let mut items = vec![first];
        items.extend(self.items(")")?);
        Ok(tuple_of(items))
    }
    fn items(&mut self, close: &str) -> Result<Vec<Text>, SyntaxError> {
        let mut items = Vec::new();
        while !self.take_op(close) {
            items.push(self.expression()?);
            if !self.is_op(close) {
                self.expect_op(",")?;
            }
        }
        Ok(items)
    }
    fn mapping(&mut self) -> Out {
        let mut parts = Vec::new();
        while !self.take_op("}") {
            parts.push(self.expression()?);
            self.expect_op(":")?;
            parts.push(self.expression()?);
            if !self.is_op("}") {
                self.expect_op(",")?;
            }
        }
        Ok(Text::call("__dict", parts))
    }

    pub fn postfix(&mut self, mut node: Text) -> Out {
        loop {
            let at = self.here();
            if self.take_op(".") {
                match self.next().map(|s| &s.token) {
                    // A dict's method wins over its key of that name, also when it is not called.
                    Some(Token::Name(name)) if METHODS.contains(&name.as_str()) && !self.is_op("(") => {
                        node = Text::call("__attr", vec![node, Text::at(quoted(name), at)]);
                    }
                    Some(Token::Name(name)) => node.add(Text::at(format!(".{name}"), at)),
                    Some(Token::Number(number)) => node.add(Text::at(format!("[{number}]"), at)),
                    _ => {
                        self.pos -= 1;
                        return Err(self.unexpected("a name after `.`"));
                    }
                }
            } else if self.take_op("[") {
                node = self.deeper(|p| p.subscript(node, at))?;
            } else if self.take_op("(") {
                let arguments = self.deeper(|p| p.arguments(at))?;
                node.add(arguments);
            } else {
                return Ok(node);
            }
        }
    }
    fn subscript(&mut self, mut node: Text, at: usize) -> Out {
        let mut parts: [Option<Text>; 3] = [None, None, None];
        let mut colons = 0;
        loop {
            if self.take_op("]") {
                break;
            }
            if self.take_op(":") {
                colons += 1;
                if colons > 2 {
                    return Err(SyntaxError::new(self.here(), "a slice has at most two colons"));
                }
                continue;
            }
            parts[colons] = Some(if colons == 0 { self.tuple(true)? } else { self.expression()? });
            if !self.is_op(":") && !self.is_op("]") {
                return Err(self.unexpected("`]`"));
            }
        }
        if colons == 0 {
            let Some(index) = parts[0].take() else { return Err(SyntaxError::new(at, "expected an index")) };
            node.add(Text::at("[", at));
            node.add(index);
            node.raw("]");
            return Ok(node);
        }
        let mut arguments = vec![node];
        arguments.extend(parts.into_iter().map(|p| p.unwrap_or_else(|| Text::at("none", at))));
        Ok(Text::call("__slice", arguments))
    }
    /// Arguments after an opening parenthesis.
    pub fn arguments(&mut self, at: usize) -> Out {
        let mut out = Text::at("(", at);
        let mut first = true;
        while !self.take_op(")") {
            if !first {
                out.raw(", ");
            }
            first = false;
            if self.take_op("**") {
                out.raw("**__kwargs(");
                out.add(self.expression()?);
                out.raw(")");
            } else if self.take_op("*") {
                out.raw("*");
                out.add(self.expression()?);
            } else {
                if let (Some(Token::Name(name)), Some(Token::Op("="))) = (self.peek(), self.tokens.get(self.pos + 1).map(|t| &t.token)) {
                    out.add(Text::at(format!("{name}="), self.here()));
                    self.pos += 2;
                }
                out.add(self.expression()?);
            }
            if !self.is_op(")") {
                self.expect_op(",")?;
            }
        }
        out.raw(")");
        Ok(out)
    }

    fn filters(&mut self, mut node: Text) -> Out {
        loop {
            let at = self.here();
            if self.take_op("|") {
                node.add(self.filter_call(at)?);
            } else if self.take_name("is") {
                node = self.test(node)?;
            } else if self.take_op("(") {
                let arguments = self.deeper(|p| p.arguments(at))?;
                node = Text::wrapped("(", node, ")");
                node.add(arguments);
            } else {
                return Ok(node);
            }
        }
    }
    /// `name` or `name(args)` after a bar.
    pub fn filter_call(&mut self, at: usize) -> Out {
        let mut out = Text::at(format!("|{}", self.name()?), at);
        while self.take_op(".") {
            out.raw(&format!(".{}", self.name()?));
        }
        let at = self.here();
        if self.take_op("(") {
            out.add(self.deeper(|p| p.arguments(at))?);
        }
        Ok(out)
    }
    fn test(&mut self, node: Text) -> Out {
        let negated = self.take_name("not");
        let mut out = Text::wrapped("(", node, if negated { " is not " } else { " is " });
        let at = self.here();
        let name = self.name()?;
        let name = match name.as_str() {
            "None" => "none".to_owned(),
            "True" => "true".to_owned(),
            "False" => "false".to_owned(),
            _ => name,
        };
        out.add(Text::at(name, at));
        let at = self.here();
        if self.take_op("(") {
            out.add(self.deeper(|p| p.arguments(at))?);
        } else if self.starts_test_argument() {
            out.raw("(");
            let argument = self.primary()?;
            out.add(self.postfix(argument)?);
            out.raw(")");
        }
        out.raw(")");
        Ok(out)
    }
    fn starts_test_argument(&self) -> bool {
        match self.peek() {
            Some(Token::Name(n)) => !matches!(n.as_str(), "else" | "or" | "and" | "if" | "in" | "not" | "is" | "recursive"),
            Some(Token::Text(_) | Token::Number(_)) => true,
            Some(Token::Op(op)) => matches!(*op, "[" | "{"),
            None => false,
        }
    }
}

fn tuple_of(items: Vec<Text>) -> Text {
    Text::call("__tuple", items)
}

/// A string literal that the engine reads back to exactly `text`, on one line.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
