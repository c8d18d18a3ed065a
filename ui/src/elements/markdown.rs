//! Draws the blocks of a Markdown text.
//!
//! Each block hangs on its own signal. A block that is closed never changes, so its nodes stay; within the open one, the entries of a
//! list, the rows of a table and the lines of code that are there already stay as well.

use leptos::prelude::*;

use super::{Copy, For, Icon, Sign, spans};
use crate::backend::{Shell, unattended};
use crate::i18n::{Argument, I18n};
use crate::markdown::node::plain_text;
use crate::markdown::{Alignment, Block, Code, Inline, Item, Target, link};
use crate::state::content::BlockSlot;

/// The blocks of a text.
#[component]
pub fn Blocks(blocks: ArcRwSignal<Vec<BlockSlot>>) -> impl IntoView {
    view! {
        <div class="markdown">
            <For each=move || blocks.get() key=|slot| slot.index let(slot)>
                {growing(slot.block)}
            </For>
        </div>
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    List,
    Table,
    Other,
}

fn kind(block: &Block) -> Kind {
    match block {
        Block::Code { .. } => Kind::Code,
        Block::List { .. } => Kind::List,
        Block::Table { .. } => Kind::Table,
        _ => Kind::Other,
    }
}

/// A block that may still grow.
fn growing(block: ArcRwSignal<Block>) -> impl IntoView {
    let shape = {
        let block = block.clone();
        Memo::new(move |_| block.with(kind))
    };
    move || match shape.get() {
        Kind::Code => growing_code(block.clone()).into_any(),
        Kind::List => growing_list(block.clone()).into_any(),
        Kind::Table => growing_table(block.clone()).into_any(),
        Kind::Other => {
            let block = block.clone();
            (move || block.with(draw)).into_any()
        }
    }
}

fn growing_code(block: ArcRwSignal<Block>) -> impl IntoView {
    let block = RwSignal::from(block);
    let text = |block: &Block| match block {
        Block::Code { text, .. } => text.to_string(),
        _ => String::new(),
    };
    let pieces = Memo::new(move |_| block.with(|block| code_of(block).map_or(0, |code| code.pieces().len())));
    // A piece stays as it is while the text grows behind it.
    let piece = move |index: usize| {
        let piece = Memo::new(move |_| block.with(|block| code_of(block).and_then(|code| code.pieces().get(index).cloned())));
        (move || piece.with(|piece| code_text(piece.as_deref().unwrap_or_default()))).into_any()
    };
    let language = Memo::new(move |_| {
        block.with(|block| match block {
            Block::Code { language, .. } => language.clone(),
            _ => None,
        })
    });
    view! {
        <figure class="code">
            <figcaption>
                <span>{move || language.get().map(|language| spans::strict(&language).into_any())}</span>
                <Copy text=move |()| block.with_untracked(text) />
            </figcaption>
            <pre tabindex="0">
                <code>
                    <For each=move || 0..pieces.get() key=|index| *index children=piece />
                    {move || block.with(|block| code_text(code_of(block).map_or("", Code::open)))}
                </code>
            </pre>
        </figure>
    }
}

fn code_of(block: &Block) -> Option<&Code> {
    match block {
        Block::Code { text, .. } => Some(text),
        _ => None,
    }
}

/// Code is prose with regard to its line ends and tabs; a direction control in it is marked.
fn code_text(text: &str) -> AnyView {
    spans::prose(text)
}

fn growing_list(block: ArcRwSignal<Block>) -> impl IntoView {
    let block = RwSignal::from(block);
    let items = Memo::new(move |_| {
        block.with(|block| match block {
            Block::List { items, .. } => items.len(),
            _ => 0,
        })
    });
    let item = move |index: usize| {
        let item = move |block: &Block| match block {
            Block::List { items, .. } => items.get(index).cloned(),
            _ => None,
        };
        let item = Memo::new(move |_| block.with(item).unwrap_or_default());
        (move || item.with(|item| draw_item(item))).into_any()
    };
    let start = block.with_untracked(|block| match block {
        Block::List { start, .. } => *start,
        _ => None,
    });
    let entries = view! { <For each=move || 0..items.get() key=|index| *index children=item /> };
    match start {
        Some(start) => view! { <ol dir="auto" start=start.to_string()>{entries}</ol> }.into_any(),
        None => view! { <ul dir="auto">{entries}</ul> }.into_any(),
    }
}

fn growing_table(block: ArcRwSignal<Block>) -> impl IntoView {
    let block = RwSignal::from(block);
    let rows = Memo::new(move |_| {
        block.with(|block| match block {
            Block::Table { rows, .. } => rows.len(),
            _ => 0,
        })
    });
    let head = Memo::new(move |_| {
        block.with(|block| match block {
            Block::Table { alignments, head, .. } => (alignments.clone(), head.clone()),
            _ => Default::default(),
        })
    });
    // A row that is there does not change while others come.
    let row = move |index: usize| {
        let row = move |block: &Block| match block {
            Block::Table { rows, .. } => rows.get(index).cloned(),
            _ => None,
        };
        let row = Memo::new(move |_| block.with(row).unwrap_or_default());
        (move || head.with(|(alignments, _)| row.with(|cells| draw_row(alignments, cells)))).into_any()
    };
    let i18n = expect_context::<I18n>();
    view! {
        <div class="table" tabindex="0" role="group" aria-label=move || i18n.t("table")>
            <table>
                <thead>{move || head.with(|(alignments, cells)| draw_head(alignments, cells))}</thead>
                <tbody>
                    <For each=move || 0..rows.get() key=|index| *index children=row />
                </tbody>
            </table>
        </div>
    }
}

/// A block that does not grow.
fn draw(block: &Block) -> AnyView {
    match block {
        Block::Paragraph(content) => view! { <p>{inlines(content)}</p> }.into_any(),
        Block::Plain(content) => inlines(content).into_any(),
        Block::Heading { level, content } => heading(*level, content),
        Block::Quote(blocks) => view! { <blockquote dir="auto">{blocks.iter().map(draw).collect_view()}</blockquote> }.into_any(),
        Block::Rule => view! { <hr /> }.into_any(),
        Block::Code { .. } | Block::List { .. } | Block::Table { .. } => {
            let block = ArcRwSignal::new(block.clone());
            growing(block).into_any()
        }
    }
}

/// Headings of an answer stand below those of the window.
fn heading(level: u8, content: &[Inline]) -> AnyView {
    let content = inlines(content);
    match level {
        1 => view! { <h3 class="h1">{content}</h3> }.into_any(),
        2 => view! { <h4 class="h2">{content}</h4> }.into_any(),
        3 => view! { <h5 class="h3">{content}</h5> }.into_any(),
        _ => view! { <h6 class="h4">{content}</h6> }.into_any(),
    }
}

fn draw_item(item: &Item) -> AnyView {
    let blocks = item.blocks.iter().map(draw).collect_view();
    match item.task {
        Some(done) => {
            let i18n = expect_context::<I18n>();
            let label = move || if done { i18n.t("task-done") } else { i18n.t("task-open") };
            view! {
                <li class="task">
                    <span class="tick" class:ticked=done role="img" aria-label=move || label()>
                        {done.then(|| view! { <Icon sign=Sign::Check /> })}
                    </span>
                    <div>{blocks}</div>
                </li>
            }
            .into_any()
        }
        None => view! { <li>{blocks}</li> }.into_any(),
    }
}

fn side(alignments: &[Alignment], column: usize) -> &'static str {
    match alignments.get(column) {
        Some(Alignment::Center) => "center",
        Some(Alignment::Right) => "right",
        _ => "left",
    }
}

fn draw_head(alignments: &[Alignment], cells: &[Vec<Inline>]) -> AnyView {
    let cells =
        cells.iter().enumerate().map(|(column, cell)| view! { <th class=side(alignments, column)>{inlines(cell)}</th> }).collect_view();
    view! { <tr>{cells}</tr> }.into_any()
}

fn draw_row(alignments: &[Alignment], cells: &[Vec<Inline>]) -> AnyView {
    let cells =
        cells.iter().enumerate().map(|(column, cell)| view! { <td class=side(alignments, column)>{inlines(cell)}</td> }).collect_view();
    view! { <tr>{cells}</tr> }.into_any()
}

fn inlines(content: &[Inline]) -> impl IntoView + use<> {
    content.iter().map(inline).collect_view()
}

fn inline(inline: &Inline) -> AnyView {
    match inline {
        Inline::Text(text) => spans::prose(text),
        Inline::Code(text) => view! { <code>{spans::prose(text)}</code> }.into_any(),
        Inline::Strong(content) => view! { <strong>{inlines(content)}</strong> }.into_any(),
        Inline::Emphasis(content) => view! { <em>{inlines(content)}</em> }.into_any(),
        Inline::Strike(content) => view! { <s>{inlines(content)}</s> }.into_any(),
        Inline::Break => view! { <br /> }.into_any(),
        Inline::Link { target, content } => draw_link(target, &plain_text(content), inlines(content).into_any(), false),
        Inline::Image { target, description } => {
            let label = if description.trim().is_empty() { target_text(target) } else { description.clone() };
            draw_link(target, &label, spans::prose(&label), true)
        }
    }
}

fn target_text(target: &Target) -> String {
    match target {
        Target::Open { host, .. } => host.clone(),
        Target::Blocked { url } => url.clone(),
    }
}

/// Draws what a link says, where it leads, and opens it on demand. It has no `href`: nothing but the shell ever opens anything.
pub fn draw_link(target: &Target, label: &str, content: AnyView, picture: bool) -> AnyView {
    let i18n = expect_context::<I18n>();
    let mark = picture.then(|| view! { <Icon sign=Sign::Picture /> });
    match target {
        Target::Open { url, host } => {
            let shell = expect_context::<Shell>();
            let open = {
                let url = url.clone();
                move || unattended(shell.open_link(url.clone()))
            };
            let title = {
                let (url, host) = (url.clone(), host.clone());
                move || format!("{}\n{}", i18n.with("link-opens", &[("host", Argument::from(host.as_str()))]), url)
            };
            let real = link::misleads(label, host).then(|| view! { <span class="link-host">{spans::strict(host)}</span> }.into_any());
            let pressed = open.clone();
            view! {
                <a
                    class="link"
                    class:link-picture=picture
                    role="link"
                    tabindex="0"
                    data-url=url.clone()
                    title=move || title()
                    on:click=move |_| open()
                    on:keydown=move |event| {
                        if event.key() == "Enter" {
                            event.prevent_default();
                            pressed();
                        }
                    }
                >
                    {mark}
                    {content}
                </a>
                {real}
            }
            .into_any()
        }
        Target::Blocked { url } => {
            let title = {
                let url = url.clone();
                move || format!("{}\n{}", i18n.t("link-blocked"), callbox_approvals::readable(&url))
            };
            view! { <span class="link-blocked" class:link-picture=picture title=move || title()>{mark}{content}</span> }.into_any()
        }
    }
}
