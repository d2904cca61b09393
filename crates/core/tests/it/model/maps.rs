//! What the model has, in maps, and the rules of rights and names that it follows.

use super::*;

impl Model {
    pub(super) fn live(&self, id: i64) -> bool {
        let Some(node) = self.nodes.get(&id) else {
            return false;
        };
        node.trashed_with.is_none() && node.parent.is_none_or(|parent| self.live(parent))
    }

    pub(super) fn role(&self, who: usize, id: i64) -> Option<Role> {
        let here = self.shares.values().filter(|share| share.node == id && share.to == who);
        let here = here.map(|share| share.role).max();
        here.max(self.nodes[&id].parent.and_then(|parent| self.role(who, parent)))
    }

    pub(super) fn grant(&self, who: usize, id: i64, right: Right) -> Verdict {
        if !self.live(id) {
            return Err(Outcome::NotFound);
        }
        let node = &self.nodes[&id];
        let root = node.parent.is_none() && right == Right::Arrange;
        if node.owner == who {
            return if root { Err(Outcome::Forbidden) } else { Ok(()) };
        }
        let here = self.role(who, id).ok_or(Outcome::NotFound)?;
        let above = node.parent.and_then(|parent| self.role(who, parent));
        let may = match right {
            Right::Read => true,
            Right::Edit => here >= Role::Editor,
            Right::Add => here >= Role::Contributor,
            Right::Arrange => above >= Some(Role::Contributor),
        };
        if may && !root { Ok(()) } else { Err(Outcome::Forbidden) }
    }

    pub(super) fn taken(&self, folder: i64, label: &Label) -> Option<i64> {
        let key = label.key();
        let mut found = self.nodes.iter().filter(|(_, node)| {
            node.parent == Some(folder) && node.trashed_with.is_none() && node.label.key() == key
        });
        found.next().map(|(id, _)| *id)
    }

    pub(super) fn refuse_taken(&self, folder: i64, label: &Label, asking: i64) -> Verdict {
        match self.taken(folder, label) {
            Some(id) if id != asking => Err(Outcome::Exists),
            _ => Ok(()),
        }
    }

    pub(super) fn free_label(&mut self, folder: i64, wanted: &Label) -> Label {
        let mut label = wanted.clone();
        while self.taken(folder, &label).is_some() {
            let next = self.next_number.entry((folder, wanted.key())).or_insert(2);
            label = wanted.numbered(*next);
            *next += 1;
        }
        label
    }

    pub(super) fn is_in(&self, id: i64, above: i64) -> bool {
        id == above || self.nodes[&id].parent.is_some_and(|parent| self.is_in(parent, above))
    }

    /// A node and all below it, parents first.
    pub(super) fn below(&self, top: i64) -> Vec<i64> {
        let mut found = vec![top];
        let mut next = 0;
        while next < found.len() {
            let parent = Some(found[next]);
            found.extend(self.nodes.iter().filter(|(_, n)| n.parent == parent).map(|(id, _)| *id));
            next += 1;
        }
        found
    }

    pub(super) fn live_below(&self, top: i64) -> Vec<i64> {
        self.below(top).into_iter().filter(|id| self.live(*id)).collect()
    }

    pub(super) fn forget(&mut self, ids: &[i64]) {
        for id in ids {
            self.nodes.remove(id);
            self.shares.retain(|_, share| share.node != *id);
        }
    }

    pub(super) fn tops_in_trash(&self) -> Vec<i64> {
        let tops = self.nodes.iter().filter(|(id, node)| node.trashed_with == Some(**id));
        tops.map(|(id, _)| *id).collect()
    }

    pub(super) fn restore(&mut self, id: i64) {
        let node = self.nodes[&id].clone();
        let was = node
            .parent
            .filter(|parent| self.live(*parent) && self.nodes[parent].owner == node.owner);
        let to = was.unwrap_or(self.roots[node.owner]);
        let wanted =
            if node.is_file() { node.name.clone() } else { node.label.as_str().to_owned() };
        let wanted = Name::parse(&wanted).unwrap().label();
        let label = self.free_label(to, &wanted);
        for other in self.nodes.values_mut().filter(|other| other.trashed_with == Some(id)) {
            other.trashed_with = None;
        }
        let node = self.nodes.get_mut(&id).unwrap();
        (node.parent, node.label) = (Some(to), label);
    }

    /// After a move to another owner: all of it belongs to that owner and is shared no more.
    pub(super) fn give(&mut self, top: i64, owner: usize) {
        if self.nodes[&top].owner == owner {
            return;
        }
        for id in self.below(top) {
            self.nodes.get_mut(&id).unwrap().owner = owner;
            self.shares.retain(|_, share| share.node != id);
        }
    }
}
